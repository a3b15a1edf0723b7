// What was changed in a process that was running when it was taken over, so
// that a copy of it is like one of a launched process, and so that it can be
// let go as if nothing had been.
//
//     core pages       mapped; unmapped again
//     vdso             its functions make real system calls; the bytes are put back
//     rdtsc            faults (PR_SET_TSC), for each thread
//     rseq             unregistered, for each thread; registered again
//     CPU              all threads on the tracer's; each gets its own back
//     int3s            of the recorder, in place of random instructions
//
// Copies are not made by the debuggee: they would be its children, or its
// parent's. The forker is a process of ours that shares its memory, descriptors
// and signal actions for as long as it is attached, and belongs to init: the
// copies do too, and are gone with us (PTRACE_O_EXITKILL). It carries the filter
// that the debuggee must not have, so that they stop by it.
#pragma once

#include <linux/rseq.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tracee/core_page.h"
#include "tracee/guardian.h"
#include "tracee/tracee.h"

namespace chronofork {

// One function of the vdso, and what its first bytes become.
struct VdsoPatch {
  TraceeAddress address;
  std::vector<std::byte> original;
  std::vector<std::byte> code;
};

// How a process is traced that survives us.
extern const long kAttachOptions;

// The process's first thread, or another one if that has ended; the process
// itself if all have.
pid_t LivingThreadOf(pid_t process);

// For the vdso image at `base`: the functions that answer what is not computed.
std::vector<VdsoPatch> PlanVdso(std::span<const std::byte> image, TraceeAddress base);

class Attachment {
 public:
  Attachment(Tracee& tracee, int cpu) : tracee_(tracee), cpu_(cpu) {}
  ~Attachment();

  // == Being taken over. All threads stand still.
  Result<void> Prepare();
  // The same for the program that has replaced it.
  Result<void> PrepareAfterExec();
  void ProcessGone() {
    forker_.reset();
    guardian_.reset();
  }

  // == In case that we are killed (guardian.cc).
  void StartGuardian();
  void NoteThreads();
  void Restore(const Leftovers& left);
  Guardian* guardian() { return guardian_.get(); }

  // A copy of the current thread and its memory, stopped.
  Result<std::unique_ptr<Tracee>> Copy();
  // A thread or a process that the current thread has made.
  void ThreadMade(pid_t tid);
  Result<void> LetChildGo(pid_t child, const std::map<TraceeAddress, std::byte>& patched);

  // == Being let go.
  Result<void> Undo(const std::map<pid_t, std::vector<siginfo_t>>& signals,
                    const std::map<TraceeAddress, std::byte>& patched, pid_t guard);

  struct Thread {
    ThreadTakenOver found;
    std::vector<std::byte> cpus;  // its affinity; empty: not changed
    uint64_t rseq_address = 0;    // 0: none
    uint32_t rseq_length = 0;
    uint32_t rseq_signature = 0;
    bool rseq_removed = false;
    int tsc_mode = 0;  // PR_TSC_…; 0: not changed
  };
  std::map<pid_t, Thread> threads;
  std::vector<ThreadTakenOver> taken_over;

  // What the kernel keeps in a thread's area for restartable sequences: the
  // processor, which does not change for as long as the thread is ours.
  std::vector<std::byte> RseqArea(bool registered) const;

  std::optional<rseq_cs> SectionOf(const Thread& thread);

  // Takes an interrupted call back to its instruction. `by_us`: nothing but our
  // own interrupt has ended it.
  void SettleCall(bool by_us, ThreadTakenOver* found);

 private:
  Result<void> LeaveVdso(AddressRange vdso);
  Result<void> LeaveRseqSection(const Thread& thread);
  Result<void> PatchVdso();
  Result<void> PrepareThread(Thread& thread);
  Result<void> RemoveRseq(Thread& thread);
  uint64_t ClearChildTid();
  Result<void> MapCorePages();
  Result<void> UnmapCorePages(Tracee& process);
  TraceeAddress LentCode(Tracee& process) const;
  Result<void> MakeForker();
  Result<void> InstallFilter(Tracee& process);
  Result<void> SetCpu(pid_t tid, const std::vector<std::byte>& cpus);
  std::optional<uint64_t> OutOfPatch(uint64_t pc) const;
  void LeavePatches(Tracee& process);
  void GiveBackBytes(Tracee& process, const std::map<TraceeAddress, std::byte>& patched);
  Result<void> GiveBackThread(Tracee& process, const Thread& thread);
  bool SharesMemory();
  void MakeStand(std::map<pid_t, std::vector<siginfo_t>>& signals);
  void StandHere();
  void QueueSignals(const std::vector<siginfo_t>& signals, std::vector<int>* after);

  Tracee& tracee_;
  int cpu_;
  AddressRange vdso_{};
  std::vector<VdsoPatch> vdso_patches_;
  TraceeAddress vdso_return_;  // some `ret` in it
  bool core_pages_ = false;
  bool has_filter_ = false;
  std::unique_ptr<Tracee> forker_;
  std::unique_ptr<Guardian> guardian_;
};

}  // namespace chronofork
