// What this kernel lets us do, found out by doing each thing once.
//
// Every trial runs in a forked child, so nothing of it sticks to this process,
// and the answer is what happened, never what a version number or a return
// code promises (old kernels accept soft-dirty requests and do nothing).
//
// Not here: gdb, Python, compilers (the adapter looks for those), and ptrace
// itself: only tracee/ may call it, so its trial is handed in.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace chronofork {

// The same fields as Capability in debug-adapter/core/core.ts.
struct Capability {
  std::string name;  // short and stable: "ptrace", "userfaultfd write protection"
  bool ok = false;
  std::string detail;  // what was found: a version, a number, the reason of the failure
  std::string remedy;  // what the user can do if it is needed and not ok; may be empty
  bool required = false;
};

// Runs all trials: some 10 ms. `try_ptrace` traces a child of its own for a
// moment and says why that is not possible; an empty function leaves the
// ptrace line out.
std::vector<Capability> ProbeKernel(const std::function<Result<void>()>& try_ptrace);

}  // namespace chronofork
