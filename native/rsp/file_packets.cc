// vFile: gdb's reading of files through us. Answers are `F<result>`, in
// hexadecimal, `F-1,<errno>` with the protocol's own numbers, and binary data
// after a `;`.
#include <errno.h>

#include <algorithm>
#include <array>

#include "rsp/handlers.h"

namespace chronofork {
namespace {

constexpr uint64_t kMaxPieceBytes = (kMaxPacketBytes - 32) / 2;

// The protocol's errno values: Linux's where it has them.
int ProtocolErrno(int error_number) {
  constexpr int kNameTooLong = 91, kUnknown = 9999;
  constexpr int kSame[] = {EPERM,   ENOENT, EINTR,  EBADF,  EACCES, EFAULT, EBUSY,  EEXIST, ENODEV,
                           ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, EFBIG,  ENOSPC, ESPIPE, EROFS};
  if (std::find(std::begin(kSame), std::end(kSame), error_number) != std::end(kSame)) return error_number;
  return error_number == ENAMETOOLONG ? kNameTooLong : kUnknown;
}

// True if `result` is a failure, which is then answered.
bool AnswerFailure(ssize_t result, Reply& reply) {
  if (result >= 0) return false;
  reply.Text("F-1,").Hex(static_cast<uint64_t>(ProtocolErrno(static_cast<int>(-result))));
  return true;
}

void AnswerNumber(ssize_t result, Reply& reply) {
  if (!AnswerFailure(result, reply)) reply.Text("F").Hex(static_cast<uint64_t>(result));
}

void Open(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<std::string> path = packet.HexText();
  std::optional<uint64_t> flags = path && packet.Consume(',') ? packet.HexThen(',') : std::nullopt;
  std::optional<uint64_t> mode = flags ? packet.Hex() : std::nullopt;
  if (!mode || !packet.AtEnd()) return reply.Malformed();
  constexpr uint64_t kReadOnly = 0;
  AnswerNumber(*flags == kReadOnly ? state.files.Open(*path) : -EROFS, reply);
}

void Close(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> file = packet.Hex();
  if (!file || !packet.AtEnd()) return reply.Malformed();
  AnswerNumber(state.files.Close(*file), reply);
}

void Read(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> file = packet.HexThen(',');
  std::optional<uint64_t> length = file ? packet.HexThen(',') : std::nullopt;
  std::optional<uint64_t> offset = length ? packet.Hex() : std::nullopt;
  if (!offset || !packet.AtEnd()) return reply.Malformed();
  size_t wanted = std::min(*length, kMaxPieceBytes);
  if (state.scratch.size() < wanted) state.scratch.resize(wanted);
  ssize_t count = state.files.Read(*file, *offset, {state.scratch.data(), wanted});
  if (AnswerFailure(count, reply)) return;
  reply.Text("F").Hex(static_cast<uint64_t>(count)).Text(";");
  reply.BinaryBytes({state.scratch.data(), static_cast<size_t>(count)});
}

void Stat(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<uint64_t> file = packet.Hex();
  if (!file || !packet.AtEnd()) return reply.Malformed();
  struct stat status;
  if (AnswerFailure(state.files.Stat(*file, status), reply)) return;
  // The protocol's own structure, most significant bytes first.
  std::array<std::byte, 64> packed;
  size_t at = 0;
  auto put = [&](uint64_t value, size_t length_bytes) {
    for (size_t i = length_bytes; i-- > 0;) packed[at++] = static_cast<std::byte>(value >> (8 * i));
  };
  for (uint64_t word :
       {uint64_t{status.st_dev}, uint64_t{status.st_ino}, uint64_t{status.st_mode}, uint64_t{status.st_nlink},
        uint64_t{status.st_uid}, uint64_t{status.st_gid}, uint64_t{status.st_rdev}}) {
    put(word, 4);
  }
  for (auto word : {status.st_size, status.st_blksize, status.st_blocks}) put(static_cast<uint64_t>(word), 8);
  for (auto word : {status.st_atime, status.st_mtime, status.st_ctime}) put(static_cast<uint64_t>(word), 4);
  reply.Text("F40;").BinaryBytes(packed);
}

void ReadLink(SessionState& state, PacketCursor& packet, Reply& reply) {
  std::optional<std::string> path = packet.HexText();
  if (!path || !packet.AtEnd()) return reply.Malformed();
  std::string target;
  if (AnswerFailure(state.files.ReadLink(*path, target), reply)) return;
  reply.Text("F").Hex(target.size()).Text(";").BinaryBytes(std::as_bytes(std::span(target)));
}

// Which process' view of the file system: there is but one.
void SetFileSystem(SessionState&, PacketCursor&, Reply& reply) { reply.Text("F0"); }

void Refuse(SessionState&, PacketCursor&, Reply& reply) { AnswerNumber(-EROFS, reply); }

constexpr HandlerEntry kOperations[] = {
    {"open", Open},         {"close", Close},         {"pread", Read},    {"fstat", Stat},
    {"readlink", ReadLink}, {"setfs", SetFileSystem}, {"pwrite", Refuse}, {"unlink", Refuse},
};

void File(SessionState& state, PacketCursor& packet, Reply& reply) {
  if (!packet.Consume(':')) return reply.Malformed();
  std::string_view operation = packet.Until(':');
  for (const HandlerEntry& entry : kOperations) {
    if (entry.name == operation) return entry.handler(state, packet, reply);
  }
}

constexpr HandlerEntry kHandlers[] = {{"vFile", File}};

}  // namespace

std::span<const HandlerEntry> FileHandlers() { return kHandlers; }

}  // namespace chronofork
