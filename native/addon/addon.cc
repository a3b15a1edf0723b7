// What `require('chronofork.node')` gives: `CoreModule` of core.ts.
#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <thread>

#include "addon/convert.h"
#include "addon/core_object.h"
#include "addon/promise_work.h"
#include "kernel/capabilities.h"

namespace chronofork {
namespace {

Napi::Value CreateCore(const Napi::CallbackInfo& info) {
  return info.Env().GetInstanceData<Napi::FunctionReference>()->New({});
}

Napi::Value OpenPty(const Napi::CallbackInfo& info) {
  int master = -1, slave = -1;
  char path[128];
  if (::openpty(&master, &slave, path, nullptr, nullptr) != 0)
    throw ToJsError(info.Env(), SystemError("ptyRefused", "A terminal for the program cannot be made", errno));
  if (info.Length() > 0 && info[0].ToBoolean().Value()) {
    termios settings;
    ::tcgetattr(slave, &settings);
    ::cfmakeraw(&settings);
    ::tcsetattr(slave, TCSANOW, &settings);
  }
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  Napi::Object pty = Napi::Object::New(info.Env());
  pty.Set("master", master);
  pty.Set("slave", slave);
  pty.Set("path", path);
  return pty;
}

Napi::Value SetPtySize(const Napi::CallbackInfo& info) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(info[1].ToNumber().Uint32Value());
  size.ws_row = static_cast<unsigned short>(info[2].ToNumber().Uint32Value());
  ::ioctl(info[0].ToNumber().Int32Value(), TIOCSWINSZ, &size);
  return info.Env().Undefined();
}

Napi::Value OpenPipe(const Napi::CallbackInfo& info) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw ToJsError(info.Env(), SystemError("pipeRefused", "A pipe for the program cannot be made", errno));
  Napi::Object pipe = Napi::Object::New(info.Env());
  pipe.Set("read", ends[0]);
  pipe.Set("write", ends[1]);
  return pipe;
}

Napi::Value ProbeKernelForJs(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  for (const Capability& capability : ProbeKernel(TryPtrace)) {
    Napi::Object one = Napi::Object::New(info.Env());
    one.Set("name", capability.name);
    one.Set("ok", capability.ok);
    one.Set("detail", capability.detail);
    one.Set("remedy", capability.remedy);
    one.Set("required", capability.required);
    list.Set(list.Length(), one);
  }
  return list;
}

Napi::Value VerifyForJs(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(info.Env(), "verify wants options");
  Napi::Object options = info[0].As<Napi::Object>();
  VerifyOptions wanted;
  wanted.launch = LaunchSpecFrom(options);
  wanted.interval_ms = NumberFrom(options, "checkpointIntervalMs", 100);
  wanted.interval_events = static_cast<size_t>(NumberFrom(options, "checkpointIntervalEvents", 0));
  wanted.most_replays = static_cast<size_t>(NumberFrom(options, "mostReplays", 0));
  wanted.budget_bytes = static_cast<uint64_t>(NumberFrom(options, "checkpointMemoryBytes", 0));
  using Outcome = Result<VerifyReport>;
  return PromiseWork<Outcome>::Start(
      info.Env(),
      [wanted]() -> Result<Outcome> {
        Outcome outcome = Error{};
        std::thread tracer([&] {
          outcome = Verify(wanted);
          ResignAsTracerThread();
        });
        tracer.join();
        return outcome;
      },
      [](Napi::Env env, Outcome& outcome) {
        if (outcome.ok()) return ToJs(env, outcome.value());
        VerifyReport empty;
        Napi::Object report = ToJs(env, empty);
        report.Set("recorded", false);
        report.Set("exitCode", env.Null());
        report.Set("error", ToJs(env, outcome.error()));
        return report;
      });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* constructor = new Napi::FunctionReference(Napi::Persistent(CoreObject::Define(env)));
  env.SetInstanceData(constructor);
  exports.Set("createCore", Napi::Function::New(env, CreateCore));
  exports.Set("openPty", Napi::Function::New(env, OpenPty));
  exports.Set("setPtySize", Napi::Function::New(env, SetPtySize));
  exports.Set("openPipe", Napi::Function::New(env, OpenPipe));
  exports.Set("probeKernel", Napi::Function::New(env, ProbeKernelForJs));
  exports.Set("verify", Napi::Function::New(env, VerifyForJs));
  return exports;
}

}  // namespace
}  // namespace chronofork

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return chronofork::Init(env, exports); }
NODE_API_MODULE(chronofork, InitAddon)
