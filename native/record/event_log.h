// The recording: every event of a run in order, with the bytes that the kernel
// put into the debuggee's memory.
//
// Between two events execution is a pure function of memory and registers, so
// a checkpoint and the events after it are all that a replay needs. A branch
// copies the list of indices up to where it left its parent; the events
// themselves are kept once, in the arena, and never change. Those that were recorded without
// a stop stay as they came, for most of them are only ever given back to a replay.
#pragma once

#include <signal.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/scoped_fd.h"
#include "base/tracee_address.h"
#include "callbuffer/call_sites.h"
#include "callbuffer/runtime_layout.h"
#include "record/record_store.h"
#include "record/syscall_table.h"
#include "tracee/own_memory.h"
#include "tracee/registers.h"

namespace chronofork {

enum class EventKind : uint8_t {
  kSyscall,
  kSignal,
  kTimeStamp,   // rdtsc, rdtscp
  kRandom,      // rdrand, rdseed, rdpid, xgetbv
  kVectorSave,  // xsave and its like, see vector_save.h: nothing to log but the registers
  kSwitch,      // another thread goes on: `number` is its tid
};

// Where a signal came, or a thread was left for another. All but the last are found again by the replay as they are.
enum class SignalPlace : uint8_t {
  kFault,          // by the instruction at pc itself
  kAfterEvent,     // right after the event before it, no instruction in between
  kBeforeSyscall,  // at the instruction of the system call that follows
  kAnywhere,       // in the middle of computing: its checkpoint is pinned
};

// A file that was mapped, kept open for the replay, with what it was then.
struct MappedFile {
  ScopedFd fd;
  std::string path;
  int64_t size_bytes = 0;
  int64_t modified_ns = 0;
  uint64_t inode = 0;
  bool is_regular = false;

  // What `at` leads to, by the name `path`; its descriptor is invalid if it cannot be opened.
  static std::shared_ptr<MappedFile> Open(const std::string& at, std::string path);
  // Whether it has another length or time than it had when it was mapped.
  bool WasChanged() const;
};

struct MemoryWrite {
  TraceeAddress address;
  std::vector<std::byte> bytes;
  // Found to differ after the call, in memory that others may write: perhaps the program's own doing.
  bool from_outside = false;
};

struct TimerSetting;

struct Event {
  EventKind kind = EventKind::kSyscall;
  SignalPlace place = SignalPlace::kFault;  // kSignal
  SyscallClass syscall_class = SyscallClass::kEmulate;
  bool restarted = false;         // kSyscall: interrupted, and executed again from its instruction
  bool process_was_made = false;  // kSyscall: fork and its like
  bool handled = false;           // kSignal: a handler was entered; `writes` is its frame
  pid_t thread = 0;               // whose event it is; of a switch: the thread that is left
  pid_t thread_made = 0;          // kSyscall: clone has made this thread; `registers` are its first
  uint64_t cleared_word = 0;      // … and the kernel clears this word when it ends (CLONE_CHILD_CLEARTID)
  bool thread_ended = false;      // kSyscall: exit of one thread; a switch comes next
  int32_t number = 0;             // of the call, or of the signal; of a switch: the thread that goes on
  int64_t result = 0;  // of the call (`restarted`: the number of the next); the counter's value of kTimeStamp
  std::array<uint64_t, 6> arguments{};
  uint64_t pc = 0;                // after the event (of a signal: where it struck)
  uint64_t registers_digest = 0;  // of the registers after the event; see DigestOf()
  uint64_t output_digest = 0;     // of what the call sends to the world; see OutputDigest()
  uint64_t time_ns = 0;           // run time when it was recorded
  uint64_t clock_ns = 0;          // CLOCK_MONOTONIC then; 0: not known
  std::vector<MemoryWrite> writes;
  std::unique_ptr<siginfo_t> siginfo;           // kSignal
  std::unique_ptr<GeneralRegisters> registers;  // kRandom: after it; kAnywhere: where it struck
  std::shared_ptr<MappedFile> file;             // mmap of a file
  AddressRange mapped;                          // shmat and shmdt: what they mapped or unmapped
  std::vector<JoinedPart> joined;               // mmap, mremap, shmat: what then is mapped at several places
  std::shared_ptr<const TimerSetting> timer;    // timer_create, timer_settime, setitimer, alarm
  std::string descriptor_path;                  // open and its like: what was opened
  bool descriptor_is_file = false;              // … and it is a regular file
  std::vector<TraceeAddress> patched;           // kMadeToTrap instructions in what was mapped
};

// A digest of the 16 general registers, pc and flags: what must be equal.
// Not in it: orig_rax, segment selectors (constant), and rcx and r11 where
// `after_syscall_instruction` (the processor itself overwrites them there).
uint64_t DigestOf(const GeneralRegisters& registers);
// A digest of the bytes that a write-like call hands to the world; 0 for other
// calls. A replay must hand over the same.
uint64_t OutputDigest(const SyscallArguments& call, int64_t result, const MemoryReaderFn& read);
// The same comparison, with names: "rax 0x1, not 0x2"; empty when equal.
std::string DifferenceOf(const GeneralRegisters& expected, const GeneralRegisters& actual);

// What the kernel keeps of a thread, and a fork does not copy.
struct ThreadEndings {
  uint64_t robust_list = 0;      // set_robust_list
  uint64_t clear_child_tid = 0;  // the word that is cleared at its end, and waited for
  int32_t restarting = -1;       // the call that restart_syscall goes on with
};

// The one line of a timeline: its events, by number.
class EventLog {
 public:
  // References stay valid when it grows.
  struct Arena {
    std::deque<Event> events;
    RecordStore records;
  };

  explicit EventLog(std::shared_ptr<Arena> arena) : arena_(std::move(arena)) {}
  // The first `count` events of `other`, as the beginning of a branch.
  EventLog(const EventLog& other, size_t count)
      : endings_at_start(other.endings_at_start),
        call_sites(std::make_shared<CallSites>(*other.call_sites, count)),
        arena_(other.arena_),
        indices_(other.indices_.begin(), other.indices_.begin() + static_cast<long>(count)) {
    for (size_t at : other.began_at)
      if (at < count) began_at.push_back(at);
    began_at.push_back(count);
  }

  size_t size() const { return indices_.size(); }
  const Event& at(size_t index) const {
    const Entry entry = indices_[index];
    return entry.is_record() ? EventOf(*entry.batch(), index) : *entry.event();
  }
  Event& Append(Event event);
  // Events as a ring had them (callbuffer/). Each becomes an Event when it is first looked at.
  void AppendRecords(std::span<const std::byte> records, pid_t thread, RecordTime from, RecordTime to);
  // Whether event `index` came so. Then it is a plain system call, of which its record tells all.
  bool IsRecord(size_t index) const { return indices_[index].is_record(); }
  // Its record; valid until that of another event is asked for.
  const CallRecord& RecordAt(size_t index) const { return arena_->records.RecordOf(*indices_[index].batch(), index); }
  pid_t ThreadOf(size_t index) const { return IsRecord(index) ? indices_[index].batch()->thread : at(index).thread; }
  uint64_t TimeOf(size_t index) const {
    return IsRecord(index) ? arena_->records.TimeOf(*indices_[index].batch(), index).run_ns : at(index).time_ns;
  }
  size_t bytes() const { return bytes_; }

  // Events before which a branch began: since the one before no time has passed for the program.
  std::vector<size_t> began_at;
  // Of threads that were there before the first event.
  std::map<pid_t, ThreadEndings> endings_at_start;
  // Call instructions that are patched, and as of which events.
  std::shared_ptr<CallSites> call_sites = std::make_shared<CallSites>();

 private:
  // An event, or the batch of records that it is in; the lowest bit tells.
  class Entry {
   public:
    explicit Entry(const Event* event) : bits_(reinterpret_cast<uintptr_t>(event)) {}
    explicit Entry(const RecordBatch* batch) : bits_(reinterpret_cast<uintptr_t>(batch) | 1) {}
    bool is_record() const { return bits_ & 1; }
    const Event* event() const { return reinterpret_cast<const Event*>(bits_); }
    const RecordBatch* batch() const { return reinterpret_cast<const RecordBatch*>(bits_ - 1); }

   private:
    uintptr_t bits_;
  };
  const Event& EventOf(const RecordBatch& batch, size_t index) const;

  std::shared_ptr<Arena> arena_;
  std::deque<Entry> indices_;
  size_t bytes_ = 0;
};

// One line for logs and divergence reports: "event 12, read(3, …) = 5".
std::string Describe(const Event& event, size_t index);

}  // namespace chronofork
