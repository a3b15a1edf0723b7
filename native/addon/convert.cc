// One function for each type; the field names are those of core.ts and timeTravel.ts.
#include "addon/convert.h"

#include <string.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "record/syscall_table.h"

namespace chronofork {
namespace {

std::string Hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::vector<std::string> StringsFrom(const Napi::Object& object, const char* name) {
  std::vector<std::string> strings;
  Napi::Value value = object.Get(name);
  if (!value.IsArray()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be an array of strings");
  Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) strings.push_back(array.Get(i).ToString().Utf8Value());
  return strings;
}

const char* OutcomeName(OperationResult::Outcome outcome) {
  static const char* const kNames[] = {"found", "begin", "end", "cancelled", "breakpoint", "watchpoint", "failed"};
  return kNames[static_cast<int>(outcome)];
}

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace

Napi::Error ToJsError(Napi::Env env, const Error& error) {
  Napi::Error made = Napi::Error::New(env, error.message);
  made.Value().Set("code", error.code);
  made.Value().Set("remedy", error.remedy);
  return made;
}

Napi::Object ToJs(Napi::Env env, const Error& error) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("code", error.code);
  object.Set("message", error.message);
  object.Set("remedy", error.remedy);
  return object;
}

Napi::Object ToJs(Napi::Env env, const MomentView& moment) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", moment.id);
  object.Set("order", static_cast<double>(moment.order));
  object.Set("event", static_cast<double>(moment.event));
  object.Set("timeMs", moment.time_ms);
  object.Set("branch", moment.branch);
  object.Set("pc", Hex(moment.pc));
  return object;
}

Napi::Object ToJs(Napi::Env env, const CheckpointView& checkpoint) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", checkpoint.id);
  object.Set("moment", ToJs(env, checkpoint.moment));
  object.Set("reason", checkpoint.reason);
  object.Set("privateBytes", static_cast<double>(checkpoint.private_bytes));
  object.Set("writtenBytes", static_cast<double>(checkpoint.written_bytes));
  object.Set("ageMs", checkpoint.age_ms);
  object.Set("pinned", checkpoint.pinned);
  if (!checkpoint.name.empty()) object.Set("name", checkpoint.name);
  return object;
}

Napi::Object ToJs(Napi::Env env, const BranchView& branch) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", branch.id);
  if (branch.parent >= 0) object.Set("parent", branch.parent);
  if (branch.from) object.Set("from", ToJs(env, *branch.from));
  object.Set("end", ToJs(env, branch.end));
  object.Set("tailBytes", static_cast<double>(branch.tail_bytes));
  if (!branch.name.empty()) object.Set("name", branch.name);
  return object;
}

Napi::Object EndStateToJs(Napi::Env env, const EndState& end) {
  Napi::Object object = Napi::Object::New(env);
  switch (end.kind) {
    case EndState::Kind::kRunning: object.Set("kind", "running"); break;
    case EndState::Kind::kExited:
      object.Set("kind", "exited");
      object.Set("exitCode", end.exit_code);
      break;
    case EndState::Kind::kSignalled:
      object.Set("kind", "signalled");
      object.Set("signal", end.signal);
      object.Set("signalName", SignalName(end.signal));
      object.Set("faultAddress", Hex(end.fault_address));
      break;
  }
  return object;
}

Napi::Object ToJs(Napi::Env env, const TimelineView& view) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array branches = Napi::Array::New(env);
  for (const BranchView& branch : view.branches) branches.Set(branches.Length(), ToJs(env, branch));
  Napi::Array checkpoints = Napi::Array::New(env);
  for (const CheckpointView& checkpoint : view.checkpoints)
    checkpoints.Set(checkpoints.Length(), ToJs(env, checkpoint));
  object.Set("branches", branches);
  object.Set("checkpoints", checkpoints);
  object.Set("begin", ToJs(env, view.begin));
  object.Set("end", ToJs(env, view.end));
  object.Set("present", ToJs(env, view.present));
  object.Set("live", view.live);
  if (view.ended.kind != EndState::Kind::kRunning) {
    Napi::Object ended = Napi::Object::New(env);
    if (view.ended.kind == EndState::Kind::kExited)
      ended.Set("exitCode", view.ended.exit_code);
    else
      ended.Set("signal", SignalName(view.ended.signal));
    object.Set("ended", ended);
  }
  Napi::Object memory = Napi::Object::New(env);
  memory.Set("budgetBytes", static_cast<double>(view.budget_bytes));
  memory.Set("usedBytes", static_cast<double>(view.used_bytes));
  object.Set("memory", memory);
  return object;
}

Napi::Object ToJs(Napi::Env env, const OperationResult& result, const MomentView& moment) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("outcome", OutcomeName(result.outcome));
  object.Set("moment", ToJs(env, moment));
  if (result.group) object.Set("group", *result.group);
  if (result.address) object.Set("address", Hex(result.address->value));
  if (result.error) object.Set("error", ToJs(env, *result.error));
  return object;
}

Napi::Object ToJs(Napi::Env env, const VerifyReport& report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("recorded", true);
  object.Set("exitCode", report.signal ? env.Null() : Napi::Number::New(env, report.exit_code).As<Napi::Value>());
  object.Set("signal",
             report.signal ? Napi::String::New(env, SignalName(report.signal)).As<Napi::Value>() : env.Null());
  object.Set("events", static_cast<double>(report.events));
  object.Set("checkpoints", static_cast<double>(report.checkpoints));
  object.Set("replays", static_cast<double>(report.replays));
  object.Set("intervals", static_cast<double>(report.intervals));
  object.Set("threads", static_cast<double>(report.threads));
  object.Set("refusedCalls", static_cast<double>(report.refused_calls));
  Napi::Object stopped = Napi::Object::New(env);
  for (const auto& [number, times] : report.stopped_calls) stopped.Set(RowFor(number).name, static_cast<double>(times));
  object.Set("stoppedCalls", stopped);
  Napi::Array diverged = Napi::Array::New(env);
  for (const Divergence& divergence : report.diverged) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("moment", divergence.moment);
    one.Set("what", divergence.what);
    diverged.Set(diverged.Length(), one);
  }
  object.Set("diverged", diverged);
  Napi::Array notices = Napi::Array::New(env);
  for (const std::string& notice : report.notices) notices.Set(notices.Length(), Napi::String::New(env, notice));
  object.Set("notices", notices);
  object.Set("recordMs", report.record_ms);
  object.Set("replayMs", report.replay_ms);
  object.Set("onePassMs", report.one_pass_ms);
  object.Set("recordStops", static_cast<double>(report.record_stops));
  object.Set("replayStops", static_cast<double>(report.replay_stops));
  return object;
}

double NumberFrom(const Napi::Object& object, const char* name, double fallback) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

std::string StringFrom(const Napi::Object& object, const char* name, const std::string& fallback) {
  Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : fallback;
}

TraceeAddress AddressFrom(const Napi::Value& value) {
  std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  char* end = nullptr;
  errno = 0;
  uint64_t address = std::strtoull(text.c_str(), &end, 0);
  if (text.empty() || *end != '\0' || errno != 0)
    throw Napi::TypeError::New(value.Env(), "'" + text + "' is not an address such as 0x401000");
  return TraceeAddress(address);
}

std::vector<AddressRange> RangesFrom(const Napi::Value& value) {
  std::vector<AddressRange> ranges;
  if (!value.IsArray()) return ranges;
  Napi::Array list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    Napi::Object range = list.Get(i).As<Napi::Object>();
    ranges.push_back({AddressFrom(range.Get("start")), AddressFrom(range.Get("end"))});
  }
  return ranges;
}

LaunchSpec LaunchSpecFrom(const Napi::Object& options) {
  LaunchSpec spec;
  spec.program = StringFrom(options, "program", "");
  spec.arguments = StringsFrom(options, "args");
  spec.working_directory = StringFrom(options, "cwd", "");
  spec.environment = StringsFrom(options, "env");
  Napi::Value stdio = options.Get("stdio");
  if (!stdio.IsArray() || stdio.As<Napi::Array>().Length() != 3)
    throw Napi::TypeError::New(options.Env(), "stdio must be three descriptors");
  for (uint32_t i = 0; i < 3; ++i) spec.stdio[i] = stdio.As<Napi::Array>().Get(i).ToNumber().Int32Value();
  spec.controlling_terminal = options.Get("controllingTerminal").ToBoolean().Value();
  Napi::Value disable_aslr = options.Get("disableAslr");
  spec.disable_aslr = disable_aslr.IsBoolean() ? disable_aslr.As<Napi::Boolean>().Value() : true;
  return spec;
}

TimeOperation OperationFrom(const Napi::Object& operation) {
  TimeOperation made;
  std::string kind = StringFrom(operation, "kind", "");
  using Kind = TimeOperation::Kind;
  if (kind == "seek") {
    made.kind = Kind::kSeekMoment;
    made.id = static_cast<int>(NumberFrom(operation, "moment", -1));
    made.passing = operation.Get("passing").ToBoolean().Value();
  } else if (kind == "seekCheckpoint") {
    made.kind = Kind::kSeekCheckpoint;
    made.id = static_cast<int>(NumberFrom(operation, "checkpoint", -1));
  } else if (kind == "seekEvent" || kind == "seekTime") {
    made.kind = kind == "seekEvent" ? Kind::kSeekEvent : Kind::kSeekTime;
    made.id = static_cast<int>(NumberFrom(operation, "branch", -1));
    made.event = static_cast<uint64_t>(std::max(0.0, NumberFrom(operation, "event", 0)));
    made.time_ns = static_cast<uint64_t>(std::max(0.0, NumberFrom(operation, "timeMs", 0)) * 1e6 + 0.5);
    made.passing = operation.Get("passing").ToBoolean().Value();
  } else if (kind == "seekBegin") {
    made.kind = Kind::kSeekBegin;
  } else if (kind == "seekEnd") {
    made.kind = Kind::kSeekEnd;
  } else if (kind == "lastTransition") {
    made.kind = Kind::kLastTransition;
    made.stop_at_breakpoints = operation.Get("stopAtBreakpoints").ToBoolean().Value();
    made.tid = static_cast<pid_t>(NumberFrom(operation, "tid", 0));
    made.alone = operation.Get("alone").ToBoolean().Value();
    Napi::Array places = operation.Get("places").As<Napi::Array>();
    for (uint32_t i = 0; i < places.Length(); ++i) {
      Napi::Object place = places.Get(i).As<Napi::Object>();
      ProbeSpec probe;
      probe.address = AddressFrom(place.Get("address"));
      probe.group = static_cast<uint32_t>(NumberFrom(place, "group", 0));
      if (place.Has("rspMin") || place.Has("rspMax")) {
        AddressRange range{TraceeAddress(0), TraceeAddress(~uint64_t{0})};
        if (place.Get("rspMin").IsString()) range.start = AddressFrom(place.Get("rspMin"));
        if (place.Get("rspMax").IsString()) range.end = AddressFrom(place.Get("rspMax"));
        probe.rsp_range = range;
      }
      made.places.push_back(std::move(probe));
    }
  } else if (kind == "stepInstructionBack") {
    made.kind = Kind::kStepInstructionBack;
    made.functions = RangesFrom(operation.Get("functions"));
    made.tid = static_cast<pid_t>(NumberFrom(operation, "tid", 0));
  } else if (kind == "lastWrite") {
    made.kind = Kind::kLastWrite;
    made.range.start = AddressFrom(operation.Get("address"));
    made.range.end = made.range.start + static_cast<uint64_t>(NumberFrom(operation, "size", 1));
  } else {
    throw Napi::TypeError::New(operation.Env(), "there is no operation '" + kind + "'");
  }
  return made;
}

}  // namespace chronofork
