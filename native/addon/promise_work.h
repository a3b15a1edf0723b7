// Runs blocking work off Node's main thread and settles a promise with it.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <utility>

#include "addon/convert.h"
#include "base/result.h"

namespace chronofork {

// `work` runs on a thread of Node's pool; `convert` makes the JavaScript value
// on the main thread. A bug (an exception) rejects too.
template <typename T>
class PromiseWork : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result<T>()>;
  using Convert = std::function<Napi::Value(Napi::Env, T&)>;

  static Napi::Promise Start(Napi::Env env, Work work, Convert convert) {
    auto* worker = new PromiseWork(env, std::move(work), std::move(convert));
    Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 protected:
  void Execute() override { result_.emplace(work_()); }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (result_->ok())
      deferred_.Resolve(convert_(Env(), result_->value()));
    else
      deferred_.Reject(ToJsError(Env(), result_->error()).Value());
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  PromiseWork(Napi::Env env, Work work, Convert convert)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        convert_(std::move(convert)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Convert convert_;
  std::optional<Result<T>> result_;
};

}  // namespace chronofork
