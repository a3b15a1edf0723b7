// Digests, and events in words.
#include "record/event_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "callbuffer/digest.h"

namespace chronofork {
namespace {

struct NamedRegister {
  const char* name;
  unsigned long long GeneralRegisters::*member;
};

constexpr NamedRegister kCompared[] = {
    {"rax", &GeneralRegisters::rax},         {"rbx", &GeneralRegisters::rbx},
    {"rcx", &GeneralRegisters::rcx},         {"rdx", &GeneralRegisters::rdx},
    {"rsi", &GeneralRegisters::rsi},         {"rdi", &GeneralRegisters::rdi},
    {"rbp", &GeneralRegisters::rbp},         {"rsp", &GeneralRegisters::rsp},
    {"r8", &GeneralRegisters::r8},           {"r9", &GeneralRegisters::r9},
    {"r10", &GeneralRegisters::r10},         {"r11", &GeneralRegisters::r11},
    {"r12", &GeneralRegisters::r12},         {"r13", &GeneralRegisters::r13},
    {"r14", &GeneralRegisters::r14},         {"r15", &GeneralRegisters::r15},
    {"rip", &GeneralRegisters::rip},         {"eflags", &GeneralRegisters::eflags},
    {"fs_base", &GeneralRegisters::fs_base}, {"gs_base", &GeneralRegisters::gs_base},
};

uint64_t Compared(const GeneralRegisters& r, const NamedRegister& named) {
  uint64_t value = r.*named.member;
  return named.member == &GeneralRegisters::eflags ? value & ~kFlagsOfDebuggers : value;
}

int64_t ModifiedNs(const struct stat& status) { return status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec; }

uint64_t DigestBytes(uint64_t digest, TraceeAddress address, uint64_t length, const MemoryReaderFn& read) {
  std::byte chunk[16384];
  for (;;) {
    const size_t part = std::min<uint64_t>(length, sizeof chunk);
    if (!read(address, std::span(chunk, part)).ok()) return digest ^ 0xbad;
    const auto* bytes = reinterpret_cast<const unsigned char*>(chunk);
    if (part == length) return DigestLast(digest, bytes, part);
    digest = DigestBlocks(digest, bytes, part / 32);
    address = address + part;
    length -= part;
  }
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::Open(const std::string& at, std::string path) {
  auto file = std::make_shared<MappedFile>();
  file->path = std::move(path);
  // A pipe or a device that somebody mapped, or that took the name since, must not be waited for.
  file->fd = ScopedFd(::open(at.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file->fd.valid() || ::fstat(file->fd.get(), &status) != 0) return file;
  file->size_bytes = status.st_size;
  file->modified_ns = ModifiedNs(status);
  file->inode = status.st_ino;
  file->is_regular = S_ISREG(status.st_mode);
  return file;
}

bool MappedFile::WasChanged() const {
  struct stat status {};
  return ::fstat(fd.get(), &status) != 0 || status.st_size != size_bytes || ModifiedNs(status) != modified_ns;
}

uint64_t OutputDigest(const SyscallArguments& call, int64_t result, const MemoryReaderFn& read) {
  constexpr uint64_t kSeed = kBytesDigestSeed;
  if (result <= 0) return 0;
  uint64_t left = static_cast<uint64_t>(result);
  switch (call.number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_sendto: return DigestBytes(kSeed, TraceeAddress(call.values[1]), left, read);
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2: {
      uint64_t digest = kSeed;
      for (uint64_t i = 0; i < call.values[2] && left > 0; ++i) {
        uint64_t vector[2];
        if (!read(TraceeAddress(call.values[1] + i * sizeof vector), std::as_writable_bytes(std::span(vector))).ok())
          break;
        uint64_t length = std::min(vector[1], left);
        digest = DigestBytes(digest, TraceeAddress(vector[0]), length, read);
        left -= length;
      }
      return digest;
    }
    default: return 0;
  }
}

uint64_t DigestOf(const GeneralRegisters& r) {
  return DigestRegisters({r.rax,     r.rbx,    r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
                          r.r9,      r.r10,    r.r11, r.r12, r.r13, r.r14, r.r15, r.rip, r.eflags & ~kFlagsOfDebuggers,
                          r.fs_base, r.gs_base});
}

std::string DifferenceOf(const GeneralRegisters& expected, const GeneralRegisters& actual) {
  std::string text;
  for (const NamedRegister& named : kCompared) {
    uint64_t want = Compared(expected, named), got = Compared(actual, named);
    if (want == got) continue;
    char part[96];
    std::snprintf(part, sizeof part, "%s%s is 0x%llx, not 0x%llx", text.empty() ? "" : ", ", named.name,
                  static_cast<unsigned long long>(got), static_cast<unsigned long long>(want));
    text += part;
  }
  return text;
}

Event& EventLog::Append(Event event) {
  Event& kept = arena_->events.emplace_back(std::move(event));
  indices_.push_back(Entry(&kept));
  bytes_ += sizeof(Event);
  for (const MemoryWrite& write : kept.writes) bytes_ += sizeof write + write.bytes.size();
  return kept;
}

void EventLog::AppendRecords(std::span<const std::byte> records, pid_t thread, RecordTime from, RecordTime to) {
  const RecordBatch& batch = arena_->records.Add(records, size(), thread, from, to);
  indices_.insert(indices_.end(), batch.count, Entry(&batch));
  bytes_ += sizeof batch + batch.packed.size_bytes() + batch.count * sizeof(Entry);
}

const Event& EventLog::EventOf(const RecordBatch& batch, size_t index) const {
  batch.decoded.resize(batch.count);
  const Event*& decoded = batch.decoded[index - batch.first_event];
  if (decoded) return *decoded;
  const CallRecord& record = arena_->records.RecordOf(batch, index);
  const RecordTime time = arena_->records.TimeOf(batch, index);
  Event& event = arena_->events.emplace_back();
  event.thread = batch.thread;
  event.number = record.number;
  std::copy(std::begin(record.arguments), std::end(record.arguments), event.arguments.begin());
  event.syscall_class = ClassFor({record.number, event.arguments});
  event.result = record.result;
  event.pc = record.pc;
  event.registers_digest = record.registers_digest;
  event.output_digest = record.output_digest;
  event.time_ns = time.run_ns;
  event.clock_ns = time.clock_ns;
  event.writes.reserve(record.write_count);
  const auto* at = reinterpret_cast<const std::byte*>(&record + 1);
  for (int i = 0; i < record.write_count; ++i) {
    uint64_t header[2];
    std::memcpy(header, at, sizeof header);
    at += sizeof header;
    event.writes.push_back({TraceeAddress(header[0]), {at, at + header[1]}});
    at += (header[1] + 7) & ~uint64_t{7};
  }
  event.descriptor_path.assign(reinterpret_cast<const char*>(at), record.opened_bytes);
  event.descriptor_is_file = S_ISREG(record.opened_mode);
  decoded = &event;
  return event;
}

std::string Describe(const Event& event, size_t index) {
  char text[192];
  switch (event.kind) {
    case EventKind::kSyscall:
      std::snprintf(text, sizeof text, "event %zu, %s(0x%llx, 0x%llx, 0x%llx) = %lld at pc 0x%llx", index,
                    RowFor(event.number).name, static_cast<unsigned long long>(event.arguments[0]),
                    static_cast<unsigned long long>(event.arguments[1]),
                    static_cast<unsigned long long>(event.arguments[2]), static_cast<long long>(event.result),
                    static_cast<unsigned long long>(event.pc));
      break;
    case EventKind::kSignal:
      std::snprintf(text, sizeof text, "event %zu, signal SIG%s at pc 0x%llx", index,
                    sigabbrev_np(event.number) ? sigabbrev_np(event.number) : "?",
                    static_cast<unsigned long long>(event.pc));
      break;
    case EventKind::kSwitch:
      std::snprintf(text, sizeof text, "event %zu, thread %d is left for %d%s%s", index, event.thread, event.number,
                    event.place == SignalPlace::kBeforeSyscall ? " in " : "",
                    event.place == SignalPlace::kBeforeSyscall ? RowFor(event.result).name : "");
      break;
    case EventKind::kTimeStamp:
    case EventKind::kRandom:
    case EventKind::kVectorSave:
      std::snprintf(text, sizeof text, "event %zu, %s at pc 0x%llx", index,
                    event.kind == EventKind::kTimeStamp ? "time stamp counter"
                    : event.kind == EventKind::kRandom  ? "random instruction"
                                                        : "vector registers saved",
                    static_cast<unsigned long long>(event.pc));
      break;
  }
  return text;
}

}  // namespace chronofork
