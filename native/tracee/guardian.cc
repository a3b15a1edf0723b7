// == 1. Made by two forks, so that it is nobody's child. == 2. It waits.
// == 3. It attaches, puts in order, and ends.
//
// Easy to get wrong: it is forked from a process with many threads. glibc's fork
// leaves malloc usable; nothing else of ours holds a lock that it needs.
#include "tracee/guardian.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "tracee/attachment.h"

namespace chronofork {
namespace {

constexpr char kDone = 'd';

// The kernel takes a dead tracer's trace off after it has closed its descriptors.
constexpr int kTries = 20'000;
constexpr useconds_t kBetweenTriesUs = 100;

[[noreturn]] void Guard(pid_t pid, int socket, const Leftovers& leftovers) {
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "chronofork-guard");
  if (socket != 0) ::dup2(socket, 0);
  ::close_range(1, ~0u, 0);
  char byte = 0;
  ssize_t n;
  while ((n = ::read(0, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (n <= 0) {
    // Signals are how a tracer is told of stops.
    ::signal(SIGCHLD, SIG_DFL);
    Tracee::PutInOrder(pid, leftovers);
  }
  ::_exit(0);
}

}  // namespace

std::unique_ptr<Guardian> Guardian::Start(pid_t pid) {
  void* memory = ::mmap(nullptr, sizeof(Leftovers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* leftovers = new (memory) Leftovers;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    ::munmap(memory, sizeof(Leftovers));
    return nullptr;
  }
  ScopedFd ours(ends[0]), its(ends[1]);
  std::unique_ptr<Guardian> guardian(new Guardian(leftovers, std::move(ours)));
  const pid_t middle = ::fork();
  if (middle < 0) return nullptr;
  if (middle == 0) {
    if (::fork() == 0) Guard(pid, its.get(), *leftovers);
    ::_exit(0);
  }
  while (::waitpid(middle, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  return guardian;
}

Guardian::~Guardian() {
  if (socket_.valid() && ::send(socket_.get(), &kDone, 1, MSG_NOSIGNAL) == 1) {
    // Until it is gone.
    char byte;
    while (::read(socket_.get(), &byte, 1) < 0 && errno == EINTR) {
    }
  }
  ::munmap(leftovers_, sizeof(Leftovers));
}

void Guardian::NoteByte(TraceeAddress address, std::byte original) {
  const size_t count = leftovers_->byte_count.load();
  if (count == Leftovers::kMostBytes) return;
  leftovers_->bytes[count] = {address.value, original};
  leftovers_->byte_count.store(count + 1);
}

void Guardian::ForgetByte(TraceeAddress address) {
  const size_t count = leftovers_->byte_count.load();
  // The last is the one that was noted last: breakpoints come and go.
  for (size_t i = count; i-- > 0;) {
    if (leftovers_->bytes[i].address != address.value) continue;
    leftovers_->bytes[i] = leftovers_->bytes[count - 1];
    leftovers_->byte_count.store(count - 1);
    return;
  }
}

void Tracee::PutInOrder(pid_t pid, const Leftovers& leftovers) {
  pid_t first = LivingThreadOf(pid);
  for (int i = 0; i < kTries && ::ptrace(PTRACE_SEIZE, first, nullptr, kAttachOptions) != 0; ++i) {
    if (errno == ESRCH || i + 1 == kTries) return;
    ::usleep(kBetweenTriesUs);
    first = LivingThreadOf(pid);
  }
  std::unique_ptr<Tracee> tracee(new Tracee(first));
  tracee->leader_ = pid;
  tracee->call_stops_ = CallStops::kByTracing;
  tracee->attachment_ = std::make_unique<Attachment>(*tracee, leftovers.cpu);
  tracee->thread_.running = true;
  tracee->attachment_->Restore(leftovers);
  if (!tracee->StopAllThreads().ok()) return;
  for (pid_t tid : tracee->Threads()) {
    tracee->SwitchTo(tid);
    tracee->attachment_->SettleCall(true, nullptr);
  }
  std::map<TraceeAddress, std::byte> patched;
  for (size_t i = 0; i < leftovers.byte_count.load(); ++i)
    patched.emplace(TraceeAddress(leftovers.bytes[i].address), leftovers.bytes[i].original);
  static_cast<void>(tracee->Detach({}, patched));
}

// -- What it must know, as it changes ---------------------------------------------------------

void Attachment::StartGuardian() {
  guardian_ = Guardian::Start(tracee_.leader_);
  if (!guardian_) return;
  Leftovers& left = guardian_->leftovers();
  left.cpu = cpu_;
  left.vdso_start = vdso_.start.value;
  left.vdso_end = vdso_.end.value;
  left.vdso_return = vdso_return_.value;
  left.patch_count = std::min(vdso_patches_.size(), Leftovers::kMostPatches);
  for (size_t i = 0; i < left.patch_count; ++i) {
    const VdsoPatch& patch = vdso_patches_[i];
    left.patches[i].address = patch.address.value;
    std::memcpy(left.patches[i].original, patch.original.data(), Leftovers::kPatchBytes);
    std::memcpy(left.patches[i].code, patch.code.data(), Leftovers::kPatchBytes);
  }
  NoteThreads();
}

void Attachment::NoteThreads() {
  if (!guardian_) return;
  Leftovers& left = guardian_->leftovers();
  const unsigned next = 1 - left.table.load();
  Leftovers::Table& table = left.tables[next];
  table.count = 0;
  for (const auto& [tid, thread] : threads) {
    if (table.count == Leftovers::kMostThreads) break;
    Leftovers::Thread& noted = table.threads[table.count++];
    noted = {};
    noted.tid = tid;
    noted.has_cpus = thread.cpus.size() == sizeof noted.cpus;
    if (noted.has_cpus) std::memcpy(&noted.cpus, thread.cpus.data(), sizeof noted.cpus);
    noted.rseq_removed = thread.rseq_removed;
    noted.rseq_address = thread.rseq_address;
    noted.rseq_length = thread.rseq_length;
    noted.rseq_signature = thread.rseq_signature;
    noted.tsc_mode = thread.tsc_mode;
  }
  left.table.store(next);
}

void Attachment::Restore(const Leftovers& left) {
  core_pages_ = true;
  vdso_ = {TraceeAddress(left.vdso_start), TraceeAddress(left.vdso_end)};
  vdso_return_ = TraceeAddress(left.vdso_return);
  auto bytes = [](const std::byte* at) { return std::vector<std::byte>(at, at + Leftovers::kPatchBytes); };
  for (size_t i = 0; i < left.patch_count; ++i)
    vdso_patches_.push_back(
        {TraceeAddress(left.patches[i].address), bytes(left.patches[i].original), bytes(left.patches[i].code)});
  const Leftovers::Table& table = left.tables[left.table.load()];
  for (size_t i = 0; i < table.count; ++i) {
    const Leftovers::Thread& noted = table.threads[i];
    Thread& thread = threads[noted.tid];
    thread.found.tid = noted.tid;
    const auto cpus = std::as_bytes(std::span(&noted.cpus, 1));
    if (noted.has_cpus) thread.cpus.assign(cpus.begin(), cpus.end());
    thread.rseq_removed = noted.rseq_removed;
    thread.rseq_address = noted.rseq_address;
    thread.rseq_length = noted.rseq_length;
    thread.rseq_signature = noted.rseq_signature;
    thread.tsc_mode = noted.tsc_mode;
  }
}

void Tracee::NoteHidden(TraceeAddress address, std::byte original) {
  if (attachment_ && attachment_->guardian()) attachment_->guardian()->NoteByte(address, original);
}

void Tracee::ForgetHidden(TraceeAddress address) {
  if (attachment_ && attachment_->guardian()) attachment_->guardian()->ForgetByte(address);
}

}  // namespace chronofork
