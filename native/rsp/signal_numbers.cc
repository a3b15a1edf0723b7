// The table of both numberings. Real-time signals: gdb numbers 33 … 63 as
// 45 … 75, and 32, 64 … 127 apart from them, because they came later.
#include "rsp/signal_numbers.h"

#include <signal.h>

namespace chronofork {
namespace {

constexpr int kUnknown = 143;
constexpr int kRealtime33 = 45;
constexpr int kRealtime32 = 77;
constexpr int kRealtime64 = 78;
// The kernel's numbers: SIGRTMIN of libc leaves out those it keeps for itself.
constexpr int kFirstRealtime = 32;
constexpr int kLastRealtime = 64;

struct Pair {
  int gdb_signal;
  int linux_signal;
};

constexpr Pair kPairs[] = {
    {1, SIGHUP},     {2, SIGINT},   {3, SIGQUIT},   {4, SIGILL},   {5, SIGTRAP},  {6, SIGABRT},
    {8, SIGFPE},     {9, SIGKILL},  {10, SIGBUS},   {11, SIGSEGV}, {12, SIGSYS},  {13, SIGPIPE},
    {14, SIGALRM},   {15, SIGTERM}, {16, SIGURG},   {17, SIGSTOP}, {18, SIGTSTP}, {19, SIGCONT},
    {20, SIGCHLD},   {21, SIGTTIN}, {22, SIGTTOU},  {23, SIGIO},   {24, SIGXCPU}, {25, SIGXFSZ},
    {26, SIGVTALRM}, {27, SIGPROF}, {28, SIGWINCH}, {30, SIGUSR1}, {31, SIGUSR2}, {32, SIGPWR},
};

}  // namespace

int GdbSignalOf(int linux_signal) {
  for (const Pair& pair : kPairs) {
    if (pair.linux_signal == linux_signal) return pair.gdb_signal;
  }
  if (linux_signal == kFirstRealtime) return kRealtime32;
  if (linux_signal == kLastRealtime) return kRealtime64;
  if (linux_signal > kFirstRealtime && linux_signal < kLastRealtime) return linux_signal - 33 + kRealtime33;
  return linux_signal == 0 ? 0 : kUnknown;
}

int LinuxSignalOf(int gdb_signal) {
  for (const Pair& pair : kPairs) {
    if (pair.gdb_signal == gdb_signal) return pair.linux_signal;
  }
  constexpr int kSigpollOfGdb = 33;
  if (gdb_signal == kSigpollOfGdb) return SIGPOLL;
  if (gdb_signal == kRealtime32) return kFirstRealtime;
  if (gdb_signal == kRealtime64) return kLastRealtime;
  if (gdb_signal >= kRealtime33 && gdb_signal < kRealtime33 + 31) return gdb_signal - kRealtime33 + 33;
  return 0;
}

}  // namespace chronofork
