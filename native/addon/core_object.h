// The JavaScript object `Core` of core.ts: one debug session.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "rsp/server.h"
#include "timeline/timeline.h"

namespace chronofork {

class CoreObject : public Napi::ObjectWrap<CoreObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit CoreObject(const Napi::CallbackInfo& info);
  ~CoreObject() override;

 private:
  Napi::Value Launch(const Napi::CallbackInfo& info);
  Napi::Value Attach(const Napi::CallbackInfo& info);
  Napi::Value Detach(const Napi::CallbackInfo& info);
  Napi::Value LetChildRun(const Napi::CallbackInfo& info);
  Napi::Value HandOverChild(const Napi::CallbackInfo& info);
  Napi::Value On(const Napi::CallbackInfo& info);
  Napi::Value Arm(const Napi::CallbackInfo& info);
  Napi::Value Disarm(const Napi::CallbackInfo& info);
  Napi::Value Cancel(const Napi::CallbackInfo& info);
  Napi::Value Ask(const Napi::CallbackInfo& info);
  Napi::Value RowsOf(const Napi::CallbackInfo& info);
  Napi::Value SetReverseRanges(const Napi::CallbackInfo& info);
  Napi::Value OutputDigest(const Napi::CallbackInfo& info);
  Napi::Value TakeMarks(const Napi::CallbackInfo& info);
  Napi::Value GetTimeline(const Napi::CallbackInfo& info);
  Napi::Value CreateCheckpoint(const Napi::CallbackInfo& info);
  Napi::Value DeleteCheckpoint(const Napi::CallbackInfo& info);
  Napi::Value SetCheckpoint(const Napi::CallbackInfo& info);
  Napi::Value Present(const Napi::CallbackInfo& info);
  Napi::Value GetEndState(const Napi::CallbackInfo& info);
  Napi::Value StartBranch(const Napi::CallbackInfo& info);
  Napi::Value Dispose(const Napi::CallbackInfo& info);

  // Listeners; events may come from any thread.
  using Listener = Napi::ThreadSafeFunction;
  void Emit(const std::string& event, std::function<void(Napi::Env, Napi::Function)> call);
  void ReleaseListeners();
  EngineOptions OptionsFrom(const Napi::Object& options);
  // Serves gdb for the process that `begin` gives to a new timeline.
  Napi::Value Begin(Napi::Env env, EngineOptions options, std::function<Result<pid_t>(Timeline&)> begin);

  std::shared_ptr<Timeline> timeline_;
  std::shared_ptr<RspServer> server_;
  std::mutex listeners_mutex_;
  std::multimap<std::string, Listener> listeners_;
  // Of queries, by number; main thread only.
  std::map<int, std::shared_ptr<const QueryAnswer>> answers_;
};

}  // namespace chronofork
