// Reads /proc/PID/maps for what is shared, and compares contents page by page.
#include "record/shared_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "tracee/core_page.h"

namespace chronofork {
namespace {

Log logger("shared");

uint64_t Protection(const Mapping& mapping) {
  return (mapping.readable ? PROT_READ : 0) | (mapping.writable ? PROT_WRITE : 0) |
         (mapping.executable ? PROT_EXEC : 0);
}

// All of `out`: zeroes where nothing can be read (past the end of a file).
void ReadAll(const Tracee& process, TraceeAddress at, std::span<std::byte> out) {
  while (!out.empty()) {
    const size_t length = process.memory().ReadSome(at, out);
    // On with the page after the one that cannot be read.
    const size_t past = std::min<size_t>(out.size(), (at + length).PageStart() + kPageBytes - at);
    std::fill(out.begin() + static_cast<long>(length), out.begin() + static_cast<long>(std::max(length, past)),
              std::byte{0});
    out = out.subspan(std::max(length, past));
    at = at + std::max(length, past);
  }
}

bool IsZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Remote mmap of new private or shared memory in place of what is there.
Result<void> MapAnew(Tracee& process, const AddressRange& range, uint64_t protection, uint64_t type) {
  CF_TRY_ASSIGN(const int64_t mapped,
                process.Syscall(SYS_mmap, {range.start.value, range.length(), protection,
                                           type | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, ~uint64_t{0}, 0}));
  if (static_cast<uint64_t>(mapped) == range.start.value) return {};
  return SystemError("sharedMemoryLost", "A copy of the program's shared memory cannot be made",
                     static_cast<int>(-mapped), process.pid());
}

Result<void> WriteNonZero(Tracee& process, TraceeAddress start, std::span<const std::byte> bytes) {
  for (size_t at = 0; at < bytes.size(); at += kPageBytes) {
    size_t end = at;
    while (end < bytes.size() && !IsZero(bytes.subspan(end, kPageBytes))) end += kPageBytes;
    if (end == at) continue;
    CF_TRY(process.memory().Write(start + at, bytes.subspan(at, end - at)));
    at = end;
  }
  return {};
}

}  // namespace

SharedMemory::Object SharedMemory::ObjectOf(const Mapping& mapping) {
  return {mapping.device, mapping.inode,
          mapping.path.starts_with("/SYSV") ? Object::Kind::kSegment
          : IsOwnMemory(mapping)            ? Object::Kind::kOwn
          : mapping.shared                  ? Object::Kind::kFile
                                            : Object::Kind::kPrivate};
}

// System V memory, anonymous memory, the files that were asked for, and on a
// branch what its first process had of its own.
bool SharedMemory::IsShared(const Mapping& mapping) const {
  return files_.contains(ObjectOf(mapping)) ||
         (mapping.shared &&
          (mapping.path.starts_with("/SYSV") || mapping.path.starts_with("/dev/zero") || IsOwnMemory(mapping)));
}

void SharedMemory::Refresh(std::optional<TraceeAddress> joined) {
  std::vector<Piece> pieces;
  std::vector<AddressRange> ranges;
  const std::vector<Mapping> mappings = ReadMappings(live_.pid());
  for (const Mapping& mapping : mappings)
    if (joined && mapping.inode != 0 && mapping.range.Contains(*joined)) files_.insert(ObjectOf(mapping));
  for (const Mapping& mapping : mappings) {
    if (!IsShared(mapping)) continue;
    Piece piece{mapping.range, ObjectOf(mapping), mapping.offset, {}};
    piece.known.resize(mapping.range.length());
    // What was known of the same memory before: it may have been split, moved up to, or made longer.
    for (const Piece& old : pieces_) {
      if (old.object != piece.object || !old.range.Overlaps(piece.range)) continue;
      const TraceeAddress start = std::max(old.range.start, piece.range.start);
      const TraceeAddress end = std::min(old.range.end, piece.range.end);
      if (old.offset + (start - old.range.start) != piece.offset + (start - piece.range.start)) continue;
      std::memcpy(piece.known.data() + (start - piece.range.start), old.known.data() + (start - old.range.start),
                  end - start);
    }
    ranges.push_back(piece.range);
    pieces.push_back(std::move(piece));
  }
  pieces_ = std::move(pieces);
  pages_ = MakePageSet(std::move(ranges));
  FindJoined();
}

void SharedMemory::TakeOver(const std::function<bool(const Mapping&)>& refuse) {
  for (const Mapping& mapping : ReadMappings(live_.pid()))
    if (!refuse(mapping)) files_.insert(ObjectOf(mapping));
  Refresh();
  static_cast<void>(Changes());
}

void SharedMemory::FindJoined() {
  joined_.clear();
  std::map<Object, std::vector<AddressRange>> offsets;
  for (const Piece& piece : pieces_)
    if (piece.object.kind != Object::Kind::kPrivate)
      offsets[piece.object].push_back(
          {TraceeAddress(piece.offset), TraceeAddress(piece.offset + piece.range.length())});
  for (auto& [object, ranges] : offsets) {
    std::sort(ranges.begin(), ranges.end());
    TraceeAddress end;
    for (const AddressRange& range : ranges) {
      if (range.start < end) joined_.insert(object);
      end = std::max(end, range.end);
    }
  }
  for (const Object& object : joined_) {
    // Each object has room for a file of 16 TiB. The numbers are used again only after half a million of them.
    constexpr uint64_t kRoomBytes = uint64_t{1} << 44, kRooms = (uint64_t{1} << 19) - 1;
    static uint64_t number = 0;
    if (!places_.contains(object) && object.kind != Object::Kind::kOwn)
      places_[object] = (1 + number++ % kRooms) * kRoomBytes;
  }
}

// A branch's first process, and every copy of it, has its own memory where the copy that it was had it.
JoinedPart SharedMemory::PartOf(const Object& object, const AddressRange& range, uint64_t offset) const {
  return {range, object.kind == Object::Kind::kOwn ? offset : places_.at(object) + offset};
}

std::vector<JoinedPart> SharedMemory::PartsWith(TraceeAddress start) const {
  std::vector<JoinedPart> parts;
  for (const Piece& at : pieces_) {
    if (!at.range.Contains(start) || !joined_.contains(at.object)) continue;
    for (const Piece& piece : pieces_)
      if (piece.object == at.object) parts.push_back(PartOf(piece.object, piece.range, piece.offset));
  }
  return parts;
}

uint64_t SharedMemory::BytesWith(uint64_t inode, uint64_t offset, uint64_t length) const {
  std::map<Object, std::vector<AddressRange>> offsets;
  // By its number alone: on some file systems the device is not the one that is mapped.
  for (const Piece& piece : pieces_)
    offsets[piece.object.inode == inode ? Object{0, inode, Object::Kind::kFile} : piece.object].push_back(
        {TraceeAddress(piece.offset), TraceeAddress(piece.offset + piece.range.length())});
  offsets[{0, inode, Object::Kind::kFile}].push_back({TraceeAddress(offset), TraceeAddress(offset + length)});
  uint64_t bytes = 0;
  for (auto& [object, ranges] : offsets) bytes += TotalBytes(MakePageSet(std::move(ranges)));
  return bytes;
}

AddressRange SharedMemory::PieceAt(TraceeAddress start) const {
  AddressRange found{start, start};
  const Piece* before = nullptr;
  for (const Piece& piece : pieces_) {
    if (piece.range.start != found.end) continue;
    // The same once more, right behind it, is another piece.
    if (before && (piece.object != before->object || piece.offset != before->offset + before->range.length())) break;
    before = &piece;
    found.end = piece.range.end;
  }
  return found;
}

std::vector<MemoryWrite> SharedMemory::Changes() {
  std::vector<MemoryWrite> changes;
  std::vector<std::byte> now;
  for (Piece& piece : pieces_) {
    now.resize(piece.known.size());
    ReadAll(live_, piece.range.start, now);
    if (std::memcmp(now.data(), piece.known.data(), now.size()) == 0) continue;
    for (size_t page = 0; page < now.size(); page += kPageBytes) {
      if (std::memcmp(now.data() + page, piece.known.data() + page, kPageBytes) == 0) continue;
      size_t first = page, last = page + kPageBytes - 1;
      while (now[first] == piece.known[first]) ++first;
      while (now[last] == piece.known[last]) --last;
      MemoryWrite write{piece.range.start + first,
                        {now.begin() + static_cast<long>(first), now.begin() + static_cast<long>(last + 1)}};
      write.from_outside = true;
      changes.push_back(std::move(write));
    }
    piece.known.swap(now);
  }
  return changes;
}

void SharedMemory::Forget(const PageSet& pages) {
  for (Piece& piece : pieces_)
    for (const AddressRange& range : Intersect(pages, {piece.range}))
      std::memset(piece.known.data() + (range.start - piece.range.start), 0, range.length());
}

void SharedMemory::Accept(const AddressRange& range) {
  for (Piece& piece : pieces_) {
    const TraceeAddress start = std::max(range.start, piece.range.start), end = std::min(range.end, piece.range.end);
    if (start < end) ReadAll(live_, start, std::span(piece.known).subspan(start - piece.range.start, end - start));
  }
}

Result<void> SharedMemory::MakePrivate(Tracee& copy) const {
  if (pieces_.empty()) return {};
  std::vector<std::byte> contents;
  std::vector<JoinedPart> parts;
  for (const Mapping& mapping : ReadMappings(copy.pid())) {
    if (!IsShared(mapping) || copy.Owns(mapping)) continue;
    const Object object = ObjectOf(mapping);
    if (joined_.contains(object)) {
      parts.push_back(PartOf(object, mapping.range, mapping.offset));
      continue;
    }
    contents.resize(mapping.range.length());
    ReadAll(copy, mapping.range.start, contents);
    CF_TRY(MapAnew(copy, mapping.range, Protection(mapping), MAP_PRIVATE));
    CF_TRY(WriteNonZero(copy, mapping.range.start, contents));
  }
  return copy.JoinMemory(parts);
}

Result<void> SharedMemory::Share(const PageSet& pages) {
  std::vector<std::byte> contents;
  for (const Mapping& mapping : ReadMappings(live_.pid())) {
    if (mapping.shared) continue;
    for (const AddressRange& range : Intersect(pages, {mapping.range})) {
      contents.resize(range.length());
      ReadAll(live_, range.start, contents);
      CF_TRY(MapAnew(live_, range, Protection(mapping), MAP_SHARED));
      CF_TRY(WriteNonZero(live_, range.start, contents));
    }
  }
  Refresh();
  // A replay has it already: it did what the program did.
  static_cast<void>(Changes());
  CF_LOG(logger, kInfo, "%llu KiB are shared from now on", static_cast<unsigned long long>(TotalBytes(pages) / 1024));
  return {};
}

}  // namespace chronofork
