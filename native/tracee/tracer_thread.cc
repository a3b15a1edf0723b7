// Waiting, waking, and sorting the stops of several processes.
#include "tracee/tracer_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "base/assert.h"
#include "tracee/children.h"

namespace chronofork {
namespace {

// Interrupts waitpid(). A real-time signal that neither Node nor glibc uses.
int WakeSignal() { return SIGRTMIN + 7; }

std::atomic<bool> has_tracer{false};
std::atomic<bool> wake_wanted{false};
pthread_t tracer_thread;
thread_local bool is_tracer = false;
std::atomic<uint64_t> stop_count{0};
std::vector<int> original_cpus;

struct State {
  std::unordered_set<pid_t> tracees;
  std::unordered_set<pid_t> dying;
  std::unordered_map<pid_t, std::deque<int>> queued;
  std::unordered_map<pid_t, std::deque<int>> early;
};
State& state() {
  static State s;
  return s;
}

void Sort(pid_t pid, int status) {
  stop_count.fetch_add(1, std::memory_order_relaxed);
  State& s = state();
  if (s.dying.contains(pid)) {
    if (!WIFSTOPPED(status)) s.dying.erase(pid);
  } else if (s.tracees.contains(pid))
    s.queued[pid].push_back(status);
  else if (!ChildProcesses::HandleStop(pid, status))
    s.early[pid].push_back(status);
}

}  // namespace

void BecomeTracerThread() {
  if (is_tracer) return;
  CHRONOFORK_ASSERT(!has_tracer.load());
  cpu_set_t set;
  if (original_cpus.empty() && ::sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) original_cpus.push_back(cpu);
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigemptyset(&action.sa_mask);
  ::sigaction(WakeSignal(), &action, nullptr);  // without SA_RESTART
  sigset_t unblock;
  sigemptyset(&unblock);
  sigaddset(&unblock, WakeSignal());
  ::pthread_sigmask(SIG_UNBLOCK, &unblock, nullptr);
  tracer_thread = ::pthread_self();
  is_tracer = true;
  has_tracer.store(true);
}

WakeTimer::WakeTimer(double interval_ms) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = WakeSignal();
  event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
  running_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  long ns = static_cast<long>(interval_ms * 1e6);
  itimerspec spec{};
  spec.it_interval = spec.it_value = {ns / 1'000'000'000, ns % 1'000'000'000};
  if (running_) ::timer_settime(timer_, 0, &spec, nullptr);
}

WakeTimer::~WakeTimer() {
  if (running_) ::timer_delete(timer_);
}

void ResignAsTracerThread() {
  has_tracer.store(false);
  is_tracer = false;
}

const std::vector<int>& OriginalCpus() { return original_cpus; }

void WakeTracer() {
  if (!has_tracer.load()) return;
  wake_wanted.store(true);
  if (is_tracer) return;
  // The signal may come just before waitpid() begins: repeat until it was
  // taken. Bounded: a tracer that is not waiting looks at its queue by itself.
  for (int i = 0; i < 50 && wake_wanted.load(); ++i) {
    ::pthread_kill(tracer_thread, WakeSignal());
    std::this_thread::sleep_for(std::chrono::microseconds(i < 5 ? 50 : 1000));
  }
}

uint64_t Tracee::StopCount() { return TracerThread::StopCount(); }
void Tracee::AwaitDying() { TracerThread::AwaitDying(); }

bool TracerThread::IsCurrent() { return is_tracer; }
uint64_t TracerThread::StopCount() { return stop_count.load(); }

void TracerThread::Register(pid_t tid) {
  State& s = state();
  s.tracees.insert(tid);
  if (auto early = s.early.find(tid); early != s.early.end()) {
    s.queued[tid] = std::move(early->second);
    s.early.erase(early);
  }
}

void TracerThread::Unregister(pid_t tid) {
  State& s = state();
  s.tracees.erase(tid);
  s.queued.erase(tid);
}

void TracerThread::LetDie(pid_t pid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : original_cpus) CPU_SET(cpu, &set);
  ::sched_setaffinity(pid, sizeof set, &set);
  state().dying.insert(pid);
  ::kill(pid, SIGKILL);
}

bool TracerThread::AnyDying() { return !state().dying.empty(); }

bool TracerThread::AwaitDying() {
  if (!AnyDying()) return false;
  while (AnyDying()) {
    int status = 0;
    const pid_t pid = *state().dying.begin();
    const pid_t waited = ::waitpid(pid, &status, __WALL | __WNOTHREAD);
    if (waited < 0 ? errno != EINTR : !WIFSTOPPED(status)) state().dying.erase(pid);
  }
  return true;
}

std::optional<int> TracerThread::TakeEarly(pid_t pid) {
  State& s = state();
  auto early = s.early.find(pid);
  if (early == s.early.end()) return std::nullopt;
  int status = early->second.front();
  early->second.pop_front();
  if (early->second.empty()) s.early.erase(early);
  return status;
}

std::optional<pid_t> TracerThread::WaitForAny(std::span<const pid_t> tids, bool wakeable, bool block) {
  CHRONOFORK_ASSERT(is_tracer);
  for (;;) {
    ChildProcesses::Serve();
    for (pid_t tid : tids)
      if (auto found = state().queued.find(tid); found != state().queued.end() && !found->second.empty()) return tid;
    if (wakeable && wake_wanted.exchange(false)) return std::nullopt;
    int status = 0;
    pid_t pid = ::waitpid(-1, &status, __WALL | __WNOTHREAD | (block ? 0 : WNOHANG));
    if (pid > 0) {
      Sort(pid, status);
    } else if (pid == 0) {
      return std::nullopt;
    } else if (errno == EINTR && wakeable) {
      wake_wanted.store(false);
      return std::nullopt;
    } else if (errno == ECHILD) {
      // Nothing left to wait for: it is gone without our having seen it go.
      state().queued[tids.front()].push_back(0);
    }
  }
}

std::optional<int> TracerThread::NextStatus(pid_t tid, bool wakeable) {
  const std::optional<pid_t> ready = WaitForAny(std::span(&tid, 1), wakeable, true);
  if (!ready) return std::nullopt;
  std::deque<int>& queue = state().queued[tid];
  const int status = queue.front();
  queue.pop_front();
  return status;
}

void TracerThread::Poll() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG)) > 0;) Sort(pid, status);
  ChildProcesses::Serve();
}

}  // namespace chronofork
