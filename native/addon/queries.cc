// Queries for JavaScript: the question and its answer as plain objects. Bytes
// are text, two hexadecimal digits each.
#include "addon/convert.h"
#include "addon/core_object.h"

namespace chronofork {
namespace {

// As the core keeps them (query.cc).
constexpr size_t kKeptAnswers = 64;
constexpr size_t kKeptRows = 1'000'000;

std::string Hex(std::span<const std::byte> bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

std::string HexAddress(TraceeAddress address) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address.value));
  return text;
}

AgentCode CodeFrom(const Napi::Value& value) {
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  AgentCode code;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    char* end = nullptr;
    const std::string digits = text.substr(i, 2);
    code.push_back(static_cast<std::byte>(std::strtoul(digits.c_str(), &end, 16)));
    if (*end != '\0') throw Napi::TypeError::New(value.Env(), "code must be hexadecimal digits");
  }
  if (code.empty()) throw Napi::TypeError::New(value.Env(), "code must be hexadecimal digits");
  return code;
}

QueryPlace PlaceFrom(const Napi::Object& place) {
  QueryPlace made;
  made.address = AddressFrom(place.Get("address"));
  if (place.Get("condition").IsString()) made.conditions.push_back(CodeFrom(place.Get("condition")));
  if (!place.Get("items").IsArray()) return made;
  const Napi::Array items = place.Get("items").As<Napi::Array>();
  for (uint32_t i = 0; i < items.Length(); ++i) {
    const Napi::Object item = items.Get(i).As<Napi::Object>();
    made.items.push_back({CodeFrom(item.Get("code")), static_cast<uint32_t>(NumberFrom(item, "blockBytes", 0))});
  }
  return made;
}

QuerySpec::Kind KindFrom(const Napi::Object& spec) {
  using Kind = QuerySpec::Kind;
  const std::string kind = StringFrom(spec, "kind", "");
  if (kind == "counts") return Kind::kCounts;
  if (kind == "hits") return Kind::kHits;
  if (kind == "writes") return Kind::kWrites;
  if (kind == "calls") return Kind::kCalls;
  if (kind == "differences") return Kind::kDifferences;
  throw Napi::TypeError::New(spec.Env(), "there is no query '" + kind + "'");
}

QuerySpec QueryFrom(const Napi::Object& spec) {
  QuerySpec made;
  made.kind = KindFrom(spec);
  if (spec.Get("places").IsArray()) {
    const Napi::Array places = spec.Get("places").As<Napi::Array>();
    for (uint32_t i = 0; i < places.Length(); ++i) made.places.push_back(PlaceFrom(places.Get(i).As<Napi::Object>()));
  }
  if (made.kind == QuerySpec::Kind::kWrites) {
    made.range.start = AddressFrom(spec.Get("address"));
    made.range.end = made.range.start + static_cast<uint64_t>(NumberFrom(spec, "size", 1));
  } else if (made.places.empty() && made.kind != QuerySpec::Kind::kDifferences) {
    throw Napi::TypeError::New(spec.Env(), "the query needs places");
  }
  made.return_block_bytes = static_cast<size_t>(NumberFrom(spec, "returnBlockBytes", 0));
  made.most_rows = static_cast<size_t>(NumberFrom(spec, "mostRows", static_cast<double>(made.most_rows)));
  if (spec.Get("from").IsNumber()) made.from = static_cast<int>(NumberFrom(spec, "from", 0));
  if (spec.Get("to").IsNumber()) made.to = static_cast<int>(NumberFrom(spec, "to", 0));
  return made;
}

Napi::Object AnswerToJs(Napi::Env env, const QueryAnswer& answer) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", answer.id);
  object.Set("total", static_cast<double>(answer.rows.size()));
  object.Set("complete", answer.complete);
  object.Set("cancelled", answer.cancelled);
  object.Set("intervals", static_cast<double>(answer.intervals.size()));
  object.Set("skipped", static_cast<double>(answer.skipped));
  Napi::Array counts = Napi::Array::New(env);
  for (const uint64_t count : answer.counts) counts.Set(counts.Length(), static_cast<double>(count));
  object.Set("counts", counts);
  return object;
}

Napi::Object RowToJs(Napi::Env env, const QueryAnswer& answer, size_t index) {
  const QueryRow& row = answer.rows[index];
  Napi::Object object = Napi::Object::New(env);
  Napi::Object moment = Napi::Object::New(env);
  moment.Set("id", answer.first_moment + static_cast<int>(index));
  moment.Set("order", static_cast<double>(index));
  moment.Set("event", static_cast<double>(row.event));
  moment.Set("timeMs", static_cast<double>(row.time_ns) / 1e6);
  moment.Set("branch", answer.branch);
  moment.Set("pc", HexAddress(row.pc));
  object.Set("moment", moment);
  object.Set("place", static_cast<double>(row.place));
  object.Set("thread", row.thread);
  object.Set("byKernel", row.by_kernel);
  object.Set("returned", row.returned);
  object.Set("returnAddress", HexAddress(row.return_address));
  Napi::Array values = Napi::Array::New(env);
  for (const QueryValue& value : row.values)
    values.Set(values.Length(), value ? Napi::String::New(env, Hex(*value)).As<Napi::Value>() : env.Null());
  object.Set("values", values);
  return object;
}

}  // namespace

Napi::Value CoreObject::Ask(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "ask wants a query");
  QuerySpec spec = QueryFrom(info[0].As<Napi::Object>());
  auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(info.Env()));
  Listener settle = Listener::New(info.Env(), Napi::Function::New(info.Env(), [](const Napi::CallbackInfo&) {}),
                                  "chronofork ask", 0, 1);
  using Answer = Result<std::shared_ptr<const QueryAnswer>>;
  auto done = [this, deferred, settle](Answer answer) mutable {
    settle.NonBlockingCall([this, deferred, answer = std::move(answer)](Napi::Env env, Napi::Function) {
      if (!answer.ok()) return deferred->Reject(ToJsError(env, answer.error()).Value());
      answers_[answer.value()->id] = answer.value();
      size_t rows = 0;
      for (const auto& [id, kept] : answers_) rows += kept->rows.size();
      while (answers_.size() > 1 && (answers_.size() > kKeptAnswers || rows > kKeptRows)) {
        rows -= answers_.begin()->second->rows.size();
        answers_.erase(answers_.begin());
      }
      deferred->Resolve(AnswerToJs(env, *answer.value()));
    });
    settle.Release();
  };
  if (timeline_)
    timeline_->Ask(std::move(spec), done);
  else
    done(Error{"noDebuggee", "No program has been launched.", "", 0, 0});
  return deferred->Promise();
}

Napi::Value CoreObject::RowsOf(const Napi::CallbackInfo& info) {
  const auto found = answers_.find(info[0].ToNumber().Int32Value());
  if (found == answers_.end())
    throw ToJsError(info.Env(), Error{"queryForgotten", "That answer is no longer kept.", "Ask again.", 0, 0});
  const QueryAnswer& answer = *found->second;
  const size_t start = static_cast<size_t>(info[1].ToNumber().Int64Value());
  const size_t end = std::min(answer.rows.size(), start + static_cast<size_t>(info[2].ToNumber().Int64Value()));
  Napi::Array rows = Napi::Array::New(info.Env());
  for (size_t i = start; i < end; ++i) rows.Set(rows.Length(), RowToJs(info.Env(), answer, i));
  return rows;
}

}  // namespace chronofork
