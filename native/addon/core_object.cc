// Argument checks, promises and events; everything else is the timeline's.
//
// Easy to get wrong: a thread-safe function keeps Node's loop alive until it is
// released (they are unreferenced here); dispose must stop gdb's server before
// the timeline, which its thread calls.
#include "addon/core_object.h"

#include <chrono>

#include "addon/convert.h"
#include "addon/promise_work.h"

namespace chronofork {
namespace {

struct Begun {
  pid_t pid = 0;
  std::string gdb_socket;
};

Error NotLaunched() { return Error{"noDebuggee", "No program has been launched.", "", 0, 0}; }

// Result<void> has no value to convert: a bool stands for it.
Result<bool> Done(Result<void> result) {
  if (!result.ok()) return std::move(result).error();
  return true;
}
Napi::Value Undefined(Napi::Env env, bool&) { return env.Undefined(); }

}  // namespace

Napi::Function CoreObject::Define(Napi::Env env) {
  return DefineClass(env, "Core",
                     {InstanceMethod<&CoreObject::Launch>("launch"),
                      InstanceMethod<&CoreObject::Attach>("attach"),
                      InstanceMethod<&CoreObject::Detach>("detach"),
                      InstanceMethod<&CoreObject::LetChildRun>("letChildRun"),
                      InstanceMethod<&CoreObject::HandOverChild>("handOverChild"),
                      InstanceMethod<&CoreObject::On>("on"),
                      InstanceMethod<&CoreObject::Arm>("arm"),
                      InstanceMethod<&CoreObject::Disarm>("disarm"),
                      InstanceMethod<&CoreObject::Cancel>("cancel"),
                      InstanceMethod<&CoreObject::SetReverseRanges>("setReverseRanges"),
                      InstanceMethod<&CoreObject::Ask>("ask"),
                      InstanceMethod<&CoreObject::RowsOf>("rows"),
                      InstanceMethod<&CoreObject::TakeMarks>("takeMarks"),
                      InstanceMethod<&CoreObject::OutputDigest>("outputDigest"),
                      InstanceMethod<&CoreObject::GetTimeline>("timeline"),
                      InstanceMethod<&CoreObject::CreateCheckpoint>("createCheckpoint"),
                      InstanceMethod<&CoreObject::DeleteCheckpoint>("deleteCheckpoint"),
                      InstanceMethod<&CoreObject::SetCheckpoint>("setCheckpoint"),
                      InstanceMethod<&CoreObject::Present>("present"),
                      InstanceMethod<&CoreObject::GetEndState>("endState"),
                      InstanceMethod<&CoreObject::StartBranch>("branch"),
                      InstanceMethod<&CoreObject::Dispose>("dispose")});
}

CoreObject::CoreObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CoreObject>(info) {}

CoreObject::~CoreObject() {
  server_.reset();
  timeline_.reset();
  ReleaseListeners();
}

void CoreObject::ReleaseListeners() {
  std::lock_guard lock(listeners_mutex_);
  for (auto& [event, listener] : listeners_) listener.Release();
  listeners_.clear();
}

void CoreObject::Emit(const std::string& event, std::function<void(Napi::Env, Napi::Function)> call) {
  std::lock_guard lock(listeners_mutex_);
  auto [begin, end] = listeners_.equal_range(event);
  for (auto it = begin; it != end; ++it) it->second.NonBlockingCall(call);
}

EngineOptions CoreObject::OptionsFrom(const Napi::Object& options) {
  EngineOptions made;
  made.interval_ms = NumberFrom(options, "checkpointIntervalMs", 100);
  made.budget_bytes = static_cast<uint64_t>(NumberFrom(options, "checkpointMemoryBytes", 0));
  made.notice = [this](const char* severity, const std::string& message) {
    Emit("notice", [severity = std::string(severity), message](Napi::Env env, Napi::Function listener) {
      listener.Call({Napi::String::New(env, severity), Napi::String::New(env, message)});
    });
  };
  made.follow_children = options.Get("followChildren").ToBoolean().Value();
  made.guard = static_cast<pid_t>(NumberFrom(options, "guard", 0));
  made.child_parked = [this](pid_t pid, const std::string& program, const char* began) {
    Emit("childParked", [pid, program, began](Napi::Env env, Napi::Function listener) {
      listener.Call({Napi::Number::New(env, pid), Napi::String::New(env, program), Napi::String::New(env, began)});
    });
  };
  made.progress = [this](double fraction, const char* text) {
    Emit("progress", [fraction, text = std::string(text)](Napi::Env env, Napi::Function listener) {
      listener.Call({Napi::Number::New(env, fraction), Napi::String::New(env, text)});
    });
  };
  // At most every 100 ms while running; the view itself is always current.
  auto last = std::make_shared<std::chrono::steady_clock::time_point>();
  made.changed = [this, last] {
    auto now = std::chrono::steady_clock::now();
    TimelineView view = timeline_ ? timeline_->View() : TimelineView{};
    if (now - *last < std::chrono::milliseconds(100) && view.live) return;
    *last = now;
    Emit("timelineChanged", [](Napi::Env, Napi::Function listener) { listener.Call({}); });
  };
  return made;
}

Napi::Value CoreObject::On(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsFunction())
    throw Napi::TypeError::New(info.Env(), "on(event, listener) wants a name and a function");
  Listener listener = Listener::New(info.Env(), info[1].As<Napi::Function>(), "chronofork", 0, 1);
  listener.Unref(info.Env());
  std::lock_guard lock(listeners_mutex_);
  listeners_.emplace(info[0].As<Napi::String>().Utf8Value(), std::move(listener));
  return info.Env().Undefined();
}

Napi::Value CoreObject::Launch(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "launch wants options");
  Napi::Object options = info[0].As<Napi::Object>();
  if (timeline_) throw Napi::Error::New(info.Env(), "a program has already been launched");
  LaunchSpec spec = LaunchSpecFrom(options);
  return Begin(info.Env(), OptionsFrom(options),
               [spec = std::move(spec)](Timeline& timeline) { return timeline.Launch(spec); });
}

Napi::Value CoreObject::Attach(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "attach wants a process number");
  if (timeline_) throw Napi::Error::New(info.Env(), "this core has a program already");
  const pid_t pid = info[0].As<Napi::Number>().Int32Value();
  Napi::Object options =
      info.Length() > 1 && info[1].IsObject() ? info[1].As<Napi::Object>() : Napi::Object::New(info.Env());
  return Begin(info.Env(), OptionsFrom(options), [pid](Timeline& timeline) { return timeline.Attach(pid); });
}

Napi::Value CoreObject::Begin(Napi::Env env, EngineOptions options, std::function<Result<pid_t>(Timeline&)> begin) {
  timeline_ = std::make_shared<Timeline>(std::move(options));
  return PromiseWork<Begun>::Start(
      env,
      [this, timeline = timeline_, begin = std::move(begin)]() -> Result<Begun> {
        Begun begun;
        CF_TRY_ASSIGN(begun.pid, begin(*timeline));
        CF_TRY_ASSIGN(std::unique_ptr<RspServer> server, RspServer::Listen(*timeline));
        begun.gdb_socket = server->address();
        server_ = std::move(server);
        return begun;
      },
      [](Napi::Env in, Begun& begun) {
        Napi::Object told = Napi::Object::New(in);
        told.Set("pid", begun.pid);
        told.Set("gdbSocket", begun.gdb_socket);
        return told;
      });
}

Napi::Value CoreObject::Detach(const Napi::CallbackInfo& info) {
  return PromiseWork<bool>::Start(
      info.Env(),
      [timeline = timeline_]() -> Result<bool> {
        if (!timeline) return NotLaunched();
        return timeline->LetAttachedGo();
      },
      [](Napi::Env in, bool& parked) {
        Napi::Object told = Napi::Object::New(in);
        told.Set("parked", parked);
        return told;
      });
}

Napi::Value CoreObject::LetChildRun(const Napi::CallbackInfo& info) {
  ChildProcesses::WishFor(info[0].ToNumber().Int32Value(), ChildProcesses::Wish::kRun);
  return info.Env().Undefined();
}

Napi::Value CoreObject::HandOverChild(const Napi::CallbackInfo& info) {
  ChildProcesses::WishFor(info[0].ToNumber().Int32Value(), ChildProcesses::Wish::kHandOver);
  return info.Env().Undefined();
}

Napi::Value CoreObject::Arm(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "arm wants an operation");
  TimeOperation operation = OperationFrom(info[0].As<Napi::Object>());
  auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(info.Env()));
  Listener settle = Listener::New(info.Env(), Napi::Function::New(info.Env(), [](const Napi::CallbackInfo&) {}),
                                  "chronofork arm", 0, 1);
  auto done = [deferred, settle](OperationResult result, MomentView moment) mutable {
    settle.NonBlockingCall([deferred, result = std::move(result), moment](Napi::Env env, Napi::Function) {
      deferred->Resolve(ToJs(env, result, moment));
    });
    settle.Release();
  };
  if (timeline_) {
    timeline_->Arm(std::move(operation), done);
  } else {
    OperationResult failed;
    failed.outcome = OperationResult::Outcome::kFailed;
    failed.error = NotLaunched();
    done(failed, MomentView{});
  }
  return deferred->Promise();
}

Napi::Value CoreObject::Disarm(const Napi::CallbackInfo& info) {
  if (timeline_) timeline_->Disarm();
  return info.Env().Undefined();
}

Napi::Value CoreObject::Cancel(const Napi::CallbackInfo& info) {
  if (timeline_) timeline_->Cancel();
  return info.Env().Undefined();
}

Napi::Value CoreObject::SetReverseRanges(const Napi::CallbackInfo& info) {
  if (timeline_) timeline_->SetReverseRanges(RangesFrom(info[0]));
  return info.Env().Undefined();
}

Napi::Value CoreObject::GetTimeline(const Napi::CallbackInfo& info) {
  return ToJs(info.Env(), timeline_ ? timeline_->View() : TimelineView{});
}

Napi::Value CoreObject::CreateCheckpoint(const Napi::CallbackInfo& info) {
  std::string reason = info.Length() > 0 ? info[0].ToString().Utf8Value() : "user";
  std::string name = info.Length() > 1 && info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  return PromiseWork<CheckpointView>::Start(
      info.Env(),
      [timeline = timeline_, reason, name]() -> Result<CheckpointView> {
        if (!timeline) return NotLaunched();
        return timeline->CreateCheckpoint(reason == "bookmark" ? CheckpointReason::kBookmark : CheckpointReason::kUser,
                                          name);
      },
      [](Napi::Env env, CheckpointView& view) { return ToJs(env, view); });
}

Napi::Value CoreObject::DeleteCheckpoint(const Napi::CallbackInfo& info) {
  int id = info[0].ToNumber().Int32Value();
  return PromiseWork<bool>::Start(
      info.Env(),
      [timeline = timeline_, id]() -> Result<bool> {
        if (!timeline) return NotLaunched();
        return Done(timeline->DeleteCheckpoint(id));
      },
      Undefined);
}

Napi::Value CoreObject::SetCheckpoint(const Napi::CallbackInfo& info) {
  int id = info[0].ToNumber().Int32Value();
  Napi::Object change = info[1].As<Napi::Object>();
  std::optional<bool> pinned;
  std::optional<std::string> name;
  if (change.Get("pinned").IsBoolean()) pinned = change.Get("pinned").As<Napi::Boolean>().Value();
  if (change.Get("name").IsString()) name = change.Get("name").As<Napi::String>().Utf8Value();
  return PromiseWork<bool>::Start(
      info.Env(),
      [timeline = timeline_, id, pinned, name]() -> Result<bool> {
        if (!timeline) return NotLaunched();
        return Done(timeline->ChangeCheckpoint(id, pinned, name));
      },
      Undefined);
}

Napi::Value CoreObject::Present(const Napi::CallbackInfo& info) {
  TimelineView view = timeline_ ? timeline_->View() : TimelineView{};
  Napi::Object present = Napi::Object::New(info.Env());
  present.Set("live", view.live);
  present.Set("edited", view.edited);
  present.Set("behindMs", view.behind_ms);
  present.Set("moment", ToJs(info.Env(), view.present));
  present.Set("branch", view.present.branch);
  return present;
}

Napi::Value CoreObject::GetEndState(const Napi::CallbackInfo& info) {
  return EndStateToJs(info.Env(), timeline_ ? timeline_->View().ended : EndState{});
}

Napi::Value CoreObject::StartBranch(const Napi::CallbackInfo& info) {
  std::string name = info.Length() > 0 && info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  using Started = std::pair<BranchView, Engine::BranchResult>;
  return PromiseWork<Started>::Start(
      info.Env(),
      [timeline = timeline_, name]() -> Result<Started> {
        if (!timeline) return NotLaunched();
        return timeline->StartBranch(name);
      },
      [](Napi::Env env, Started& started) {
        Napi::Object result = Napi::Object::New(env);
        result.Set("branch", ToJs(env, started.first));
        if (!started.second.message.empty()) result.Set("message", started.second.message);
        Napi::Array files = Napi::Array::New(env);
        for (const std::string& file : started.second.files) files.Set(files.Length(), Napi::String::New(env, file));
        result.Set("files", files);
        return result;
      });
}

Napi::Value CoreObject::Dispose(const Napi::CallbackInfo& info) {
  bool let_exit =
      info.Length() > 0 && info[0].IsObject() && info[0].As<Napi::Object>().Get("letExit").ToBoolean().Value();
  return PromiseWork<bool>::Start(
      info.Env(),
      [this, timeline = timeline_, let_exit]() -> Result<bool> {
        if (!timeline) return true;
        timeline->Interrupt();
        server_.reset();
        timeline->Dispose(let_exit);
        return true;
      },
      [this](Napi::Env env, bool& done) {
        timeline_.reset();
        ReleaseListeners();
        return Undefined(env, done);
      });
}

}  // namespace chronofork
