// Processes that the debuggee has started: they inherit the seccomp filter and
// so must stay traced; they are let run through every stop at once.
//
// Followed, each is handed over to another tracer instead, parked (park.h) where
// its own program begins: after fork, or after exec if it shared its parent's
// memory until then. Whom nobody takes, and whom its tracer has parked again, is
// taken back and let run like any other.
//
//     runs ──first place──▶ due ──park──▶ parked ──another's tracee──▶ taken
//      ▲                                    │ nobody came                │ parked again
//      └────────────────────────────────────┴────────────────────────────┘
//
// Everything but Wish() belongs to the tracer thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/tracee_address.h"

namespace chronofork {

// int3 instructions of ours in a process's memory, and the bytes that they hide.
using Traps = std::vector<std::pair<TraceeAddress, std::byte>>;

struct ChildOrigin {
  std::vector<int> cpus;       // where it may run; empty: as it is
  bool shares_memory = false;  // its parent's, until it calls exec
  Traps traps;                 // in its memory: taken out of a copy, passed in what it shares
  bool filtered = true;        // has our seccomp filter: cannot run without a tracer
};

struct FollowedBy {
  // A child is parked, and waits for the debugger that this starts.
  // `began`: "fork", "exec", or "earlier" for one that ran already.
  std::function<void(pid_t pid, const std::string& program, const char* began)> parked;
  // Something the user must know: a sentence.
  std::function<void(const std::string& what)> notice;
};

class ChildProcesses {
 public:
  // A stop of a process that is nobody's Tracee. True if it was handled here.
  static bool HandleStop(pid_t pid, int status);
  static void Adopt(pid_t pid, const ChildOrigin& origin);
  // From now on each child is handed over.
  static void Follow(FollowedBy followed_by);
  static bool Follows();
  // Hands over one that stands at its first place, prepared to go its own way. It has no filter.
  static void HandOverNow(std::unique_ptr<class Tracee> child);
  enum class Wish {
    kRun,  // nobody will debug this parked child: let it run
    // Somebody wants to debug this child: it is parked if it runs, now or when its
    // tracer lets it go.
    kHandOver,
  };
  // From any thread; carried out soon.
  static void WishFor(pid_t pid, Wish wish);
  // Carries out what is due. Called by whoever waits for anything.
  static void Serve();
  // How many there are, whoever traces them.
  static size_t Count();
  // Ends all but those that another traces, and the following.
  static void KillAll();

 private:
  static void HandOver(pid_t pid);
  static void TakeBack(pid_t pid);
  static void LetRun(class Tracee& stopped, bool filtered);
  static void NoteParked(pid_t pid, const std::string& program, const char* began, bool filtered);
  static void LookAfter();
  static void GrantWishes();
};

}  // namespace chronofork
