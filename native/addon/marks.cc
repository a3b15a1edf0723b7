// Marks of the recording for JavaScript: as columns, for there may be a hundred
// thousand of them; and the digest by which output is found in them.
#include "addon/convert.h"
#include "addon/core_object.h"
#include "addon/promise_work.h"
#include "callbuffer/digest.h"

namespace chronofork {
namespace {

std::string DigestText(uint64_t digest) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(digest));
  return text;
}

const char* KindName(EventMark::Kind kind) {
  static const char* const kNames[] = {"signal", "switch", "output", "threadBegin", "threadEnd"};
  return kNames[static_cast<int>(kind)];
}

// One number of each mark.
template <typename F>
Napi::Float64Array Column(Napi::Env env, const std::vector<EventMark>& marks, F number) {
  Napi::Float64Array column = Napi::Float64Array::New(env, marks.size());
  for (size_t i = 0; i < marks.size(); ++i) column[i] = static_cast<double>(number(marks[i]));
  return column;
}

Napi::Value MarksToJs(Napi::Env env, Timeline::MarksView& view) {
  const std::vector<EventMark>& marks = view.marks;
  Napi::Object columns = Napi::Object::New(env);
  columns.Set("lookedAt", static_cast<double>(view.looked_at));
  columns.Set("beganAnew", view.began_anew);
  Napi::Array kinds = Napi::Array::New(env, marks.size());
  Napi::Array digests = Napi::Array::New(env, marks.size());
  for (uint32_t i = 0; i < marks.size(); ++i) {
    const EventMark& mark = marks[i];
    kinds.Set(i, Napi::String::New(env, KindName(mark.kind)));
    digests.Set(i, mark.kind == EventMark::Kind::kOutput && !mark.in_pieces
                       ? Napi::String::New(env, DigestText(mark.digest)).As<Napi::Value>()
                       : env.Null());
  }
  columns.Set("kind", kinds);
  columns.Set("digest", digests);
  columns.Set("event", Column(env, marks, [](const EventMark& mark) { return mark.event; }));
  columns.Set("timeMs",
              Column(env, marks, [](const EventMark& mark) { return static_cast<double>(mark.time_ns) / 1e6; }));
  columns.Set("thread", Column(env, marks, [](const EventMark& mark) { return mark.thread; }));
  columns.Set("number", Column(env, marks, [](const EventMark& mark) { return mark.number; }));
  columns.Set("handled", Column(env, marks, [](const EventMark& mark) { return mark.handled; }));
  columns.Set("stream", Column(env, marks, [](const EventMark& mark) { return mark.stream; }));
  columns.Set("bytes", Column(env, marks, [](const EventMark& mark) { return mark.bytes; }));
  return columns;
}

}  // namespace

Napi::Value CoreObject::TakeMarks(const Napi::CallbackInfo& info) {
  const int branch = info[0].ToNumber().Int32Value();
  return PromiseWork<Timeline::MarksView>::Start(
      info.Env(),
      [timeline = timeline_, branch]() -> Result<Timeline::MarksView> {
        if (!timeline) return Error{"noDebuggee", "No program has been launched.", "", 0, 0};
        return timeline->TakeMarks(branch);
      },
      MarksToJs);
}

Napi::Value CoreObject::OutputDigest(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsBuffer()) throw Napi::TypeError::New(info.Env(), "outputDigest wants a buffer");
  const auto bytes = info[0].As<Napi::Buffer<unsigned char>>();
  return Napi::String::New(info.Env(), DigestText(DigestLast(kBytesDigestSeed, bytes.Data(), bytes.Length())));
}

}  // namespace chronofork
