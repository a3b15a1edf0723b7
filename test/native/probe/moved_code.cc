// Moved instructions against the same ones at home, in the own process.
#include "moved_code.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "probe/instruction.h"
#include "probe/instrumentation.h"

namespace chronofork {
namespace {

constexpr size_t kPage = 4096;
constexpr uint64_t kAways[] = {kHomePage + 0x6000000, kHomePage - 0x70000000};
constexpr uint64_t kCodeOffset = kHomeInstruction - kHomePage;

std::byte* At(uint64_t address) { return reinterpret_cast<std::byte*>(address); }

void FillArena(std::mt19937_64& random) {
  for (size_t i = 0; i < kPage; i += 8) {
    // Some words are places of code: for jumps and returns through memory.
    uint64_t value = random() % 3 == 0 ? random() : kHomePage + 0x40 + random() % 0x600;
    if (i == kArenaTarget - kArenaPage && random() % 4 != 0) value = kHomePage + 0x99;
    memcpy(At(kArenaPage + i), &value, 8);
  }
}

GeneralRegisters RandomRegisters(std::mt19937_64& random) {
  GeneralRegisters registers{};
  for (int i = 0; i < 16; ++i) {
    const uint64_t choices[] = {random(), random() % 20, kArenaPage + 0x200 + random() % 0xA00,
                                kHomePage + 0x10 + random() % 9};
    RegisterReference(registers, i) = choices[random() % 4];
  }
  registers.rcx = random() % 4 == 0 ? registers.rcx & 0xFFFFFFFF00000003u : random() % 5;
  registers.rsp = kArenaPage + 0x400 + 8 * (random() % 64);
  registers.rbp = kArenaPage + 0x400 + random() % 512;
  registers.rsi = kArenaPage + 0x200 + random() % 0x900;
  registers.rdi = kArenaPage + 0x200 + random() % 0x900;
  registers.eflags = 0x202 | (random() & kComparedFlags);
  return registers;
}

struct Outcome {
  GeneralRegisters registers{};
  SignalStop stop;
  std::vector<std::byte> arena;
};

Outcome RunAt(GeneralRegisters registers, uint64_t address, const std::vector<std::byte>& arena) {
  memcpy(At(kArenaPage), arena.data(), kPage);
  registers.rip = address;
  Outcome outcome;
  outcome.registers = RunToStop(registers, outcome.stop);
  outcome.arena.assign(At(kArenaPage), At(kArenaPage) + kPage);
  return outcome;
}

// Moves the instruction to `away`, execution going on behind it at home.
std::vector<MovedPoint> PlaceAway(const std::vector<std::byte>& bytes, uint64_t away) {
  memset(At(away), 0xCC, kPage);
  CodeBuffer to{TraceeAddress(away + kCodeOffset)};
  std::vector<MovedPoint> points;
  MoveInstruction(bytes, TraceeAddress(kHomeInstruction), {}, to, points);
  const TraceeAddress behind(kHomeInstruction + bytes.size());
  points.push_back({to.here(), behind, false});
  to.Emit({0xE9});
  to.EmitRelative32(behind);
  to.FlushLiterals();
  CHRONOFORK_ASSERT(to.Finish());
  memcpy(At(away + kCodeOffset), to.bytes().data(), to.bytes().size());
  return points;
}

uint64_t TranslatedBy(const std::vector<MovedPoint>& points, uint64_t pc) {
  for (const MovedPoint& point : points) {
    if (point.at.value == pc) return point.original.value;
  }
  return pc;
}

std::string Difference(const Outcome& home, const Outcome& away) {
  if (away.stop.number != home.stop.number) return "another signal";
  if (away.registers.rip != home.registers.rip) return "it goes on elsewhere";
  if (!RegistersAgree(away.registers, home.registers)) return "registers or flags differ";
  if (away.arena != home.arena) return "memory differs";
  if (home.stop.number == SIGSEGV && away.stop.address != home.stop.address) return "it faults at another address";
  return "";
}

}  // namespace

MovedCodePages::MovedCodePages() {
  const auto map = [](uint64_t at, int protection) {
    void* const mapped = mmap(At(at), kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHRONOFORK_ASSERT(mapped == At(at));
  };
  for (const uint64_t at : {kHomePage, kAways[0], kAways[1]}) map(at, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(kArenaPage, PROT_READ | PROT_WRITE);
}

MovedCodePages::~MovedCodePages() {
  for (const uint64_t at : {kHomePage, kAways[0], kAways[1], kArenaPage}) munmap(At(at), kPage);
}

MovedRun RunAtHomeAndAway(const std::vector<std::byte>& bytes, size_t round, std::mt19937_64& random) {
  FillArena(random);
  const std::vector<std::byte> arena(At(kArenaPage), At(kArenaPage) + kPage);
  const GeneralRegisters registers = RandomRegisters(random);
  memset(At(kHomePage), 0xCC, kPage);
  memcpy(At(kHomeInstruction), bytes.data(), bytes.size());
  const Outcome home = RunAt(registers, kHomeInstruction, arena);

  const uint64_t away = kAways[round % 2];
  const auto points = PlaceAway(bytes, away);
  memset(At(kHomePage), 0xCC, kPage);  // it must not be executed there
  Outcome moved = RunAt(registers, away + kCodeOffset, arena);
  if (moved.stop.number != SIGTRAP) moved.registers.rip = TranslatedBy(points, moved.registers.rip);

  MovedRun run;
  run.problem = Difference(home, moved);
  run.faulted = home.stop.number != SIGTRAP;
  run.branched = !run.faulted && home.registers.rip != kHomeInstruction + bytes.size() + 1;
  return run;
}

}  // namespace chronofork
