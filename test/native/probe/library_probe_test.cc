// Probes in libraries as they are installed: on every instruction that a call
// executes, and on parts of them at random, against the truth of single steps.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <link.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "in_process_machine.h"
#include "probe/instruction.h"
#include "probe/probe_set.h"

namespace chronofork {
namespace {

alignas(64) unsigned char input[600];  // small: a single step takes 20 to 60 µs in a virtual machine
alignas(64) unsigned char output[8192];
unsigned long output_length;

struct LibraryCall {
  const char* library;
  const char* function;
  std::array<uint64_t, 5> arguments;  // rdi, rsi, rdx, rcx, r8
};

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

std::vector<LibraryCall> Calls() {
  return {
      {"libz.so.1", "compress2", {AddressOf(output), AddressOf(&output_length), AddressOf(input), sizeof input, 1}},
      {"libz.so.1", "crc32", {0, AddressOf(input), sizeof input}},
      {"libcrypto.so.3", "SHA512", {AddressOf(input), 300, AddressOf(output)}},
      {"libcrypto.so.3", "SHA1", {AddressOf(input), 300, AddressOf(output)}},
  };
}

// The executable bytes of a loaded library.
AddressRange CodeOf(const std::string& library) {
  struct Search {
    std::string name;
    AddressRange code;
  } search{library, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* const wanted = static_cast<Search*>(data);
        if (std::string(info->dlpi_name).find(wanted->name) == std::string::npos) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& header = info->dlpi_phdr[i];
          if (header.p_type != PT_LOAD || !(header.p_flags & PF_X)) continue;
          const TraceeAddress start(info->dlpi_addr + header.p_vaddr);
          wanted->code = {start, start + header.p_memsz};
        }
        return 1;
      },
      &search);
  return search.code;
}

// Where the call returns to, on a stack of its own.
asm(R"(
  .pushsection .text
  .type chronofork_library_exit, @function
chronofork_library_exit:
  int3
  .popsection
)");
extern "C" const unsigned char chronofork_library_exit[] __attribute__((visibility("hidden")));
alignas(64) std::byte stack[1 << 18];

GeneralRegisters Prepare(const LibraryCall& call, uint64_t address) {
  for (size_t i = 0; i < sizeof input; ++i) input[i] = static_cast<unsigned char>((i * i) >> 6 ^ i % 37);
  memset(output, 0, sizeof output);
  memset(stack, 0, sizeof stack);
  output_length = sizeof output;
  GeneralRegisters registers{};
  registers.rsp = AddressOf(stack) + sizeof stack - 64 - 8;
  const uint64_t return_address = AddressOf(chronofork_library_exit);
  memcpy(reinterpret_cast<void*>(registers.rsp), &return_address, 8);
  registers.rip = address;
  registers.rdi = call.arguments[0];
  registers.rsi = call.arguments[1];
  registers.rdx = call.arguments[2];
  registers.rcx = call.arguments[3];
  registers.r8 = call.arguments[4];
  registers.eflags = 0x202;
  return registers;
}

bool IsExit(const SignalStop& stop, const GeneralRegisters& registers) {
  return stop.number == SIGTRAP && !stop.is_step && registers.rip == AddressOf(chronofork_library_exit) + 1;
}

struct CallResult {
  uint64_t value = 0;
  std::vector<unsigned char> output;
  bool operator==(const CallResult&) const = default;
};
CallResult TakeResult(const GeneralRegisters& end) { return {end.rax, {output, output + sizeof output}}; }

// How often each instruction of the library executes, and the call's result.
using Counts = std::map<uint64_t, uint64_t>;
Counts CountBySteps(const LibraryCall& call, uint64_t address, const AddressRange& code, CallResult& result) {
  std::vector<uint64_t> pcs;
  pcs.reserve(1 << 20);
  pcs.push_back(address);
  GeneralRegisters start = Prepare(call, address);
  start.eflags |= kTrapFlag;
  const GeneralRegisters end = RunInProcess(start, [&](const SignalStop& stop, GeneralRegisters& registers) {
    if (IsExit(stop, registers)) return false;
    if (code.Contains(TraceeAddress(registers.rip))) pcs.push_back(registers.rip);
    return true;
  });
  result = TakeResult(end);
  Counts counts;
  uint64_t previous = 0;
  for (const uint64_t pc : pcs) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(pc);
    const bool is_next_round =
        pc == previous && DecodeInstruction({bytes, kMaxInstructionLength}, TraceeAddress(pc))->is_rep_string;
    if (!is_next_round) ++counts[pc];
    previous = pc;
  }
  return counts;
}

// The same call with probes; false if anything unexpected happens.
bool RunProbed(const LibraryCall& call, uint64_t address, ProbeSet& probes, ProbeHost& host, CallResult& result) {
  bool fine = true;
  TraceeAddress lifted;
  const GeneralRegisters start = Prepare(call, address);
  const GeneralRegisters end = RunInProcess(start, [&](const SignalStop& stop, GeneralRegisters& registers) {
    if (IsExit(stop, registers)) return false;
    if (stop.is_step) {
      if (probes.StepAgain(lifted, TraceeAddress(registers.rip))) return true;
      registers.eflags &= ~kTrapFlag;
      return fine = probes.LowerInt3(host, lifted).ok();
    }
    fine = stop.number == SIGTRAP;
    if (!fine) return false;
    const auto handled = probes.HandleTrap(host, registers);
    fine = handled.ok() && (handled->action == TrapAction::kResume || handled->action == TrapAction::kStepOver);
    if (!fine || handled->action == TrapAction::kResume) return fine;
    lifted = TraceeAddress(registers.rip);
    registers.eflags |= kTrapFlag;
    return fine = probes.LiftInt3(host, lifted).ok();
  });
  result = TakeResult(end);
  return fine;
}

}  // namespace

TEST_CASE("probe library: every executed instruction, and parts of them, count right") {
  std::mt19937_64 random(11);
  for (const LibraryCall& call : Calls()) {
    void* const library = dlopen(call.library, RTLD_NOW);
    if (library == nullptr) {
      MESSAGE("skipped: " << std::string(call.library) << " is not installed");
      continue;
    }
    const uint64_t address = AddressOf(dlsym(library, call.function));
    REQUIRE(address != 0);
    const AddressRange code = CodeOf(call.library);
    REQUIRE(code.Contains(TraceeAddress(address)));
    CallResult expected;
    SignalStop stop;
    RunToStop(Prepare(call, address), stop);  // resolves symbols, sets up tables
    const Counts counts = CountBySteps(call, address, code, expected);
    REQUIRE(counts.size() > 15);
    for (int round = 0; round < 5; ++round) {
      CAPTURE(std::string(call.function));
      CAPTURE(round);
      std::vector<ProbeSpec> specs;
      uint64_t transitions = 0;
      for (const auto& [pc, count] : counts) {
        if (round > 0 && random() % 8 != 0) continue;
        specs.push_back({});
        specs.back().address = TraceeAddress(pc);
        transitions += count;
      }
      OwnProcessHost host;
      auto installed = ProbeSet::Install(host, specs);
      REQUIRE(installed.ok());
      ProbeSet& probes = **installed;
      CallResult result;
      CHECK(RunProbed(call, address, probes, host, result));
      CHECK(result == expected);
      CHECK(*probes.Transitions(host) == transitions);
      if (round == 0) {
        const auto jumps = std::count_if(specs.begin(), specs.end(), [&](const ProbeSpec& spec) {
          return probes.KindOf(static_cast<size_t>(&spec - specs.data())) == ProbeKind::kJump;
        });
        MESSAGE(std::string(call.function) << ": " << jumps << " of " << specs.size() << " places are jumps, "
                                           << transitions << " executions, " << host.map_count << " mappings");
      }
      CHECK(probes.Uninstall(host).ok());
    }
    dlclose(library);
  }
}

}  // namespace chronofork
