// The rules for calls whose written memory one line of the table cannot say.
// Each has the name of its call; snapshots are taken at entry.
#pragma once

#include <optional>
#include <vector>

#include "record/out_parameters.h"

namespace chronofork::out_rules {

using Ranges = std::optional<std::vector<AddressRange>>;

// For calls that the table names but whose memory only dirty pages can tell.
Ranges ByDirtyPages(const OutContext& context);

// out_rules_vectors.cc: iovec arrays and message headers
EntrySnapshot SnapshotIovec(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges ReadIovec(const OutContext& context);  // readv, preadv(2), vmsplice, process_vm_readv
EntrySnapshot SnapshotRecvmsg(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges Recvmsg(const OutContext& context);
EntrySnapshot SnapshotRecvmmsg(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges Recvmmsg(const OutContext& context);

// out_rules_sockets.cc: in-out length words
EntrySnapshot SnapshotSocketName(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges SocketName(const OutContext& context);  // accept(4), getsockname, getpeername
EntrySnapshot SnapshotRecvfrom(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges Recvfrom(const OutContext& context);
EntrySnapshot SnapshotGetsockopt(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges Getsockopt(const OutContext& context);

// out_rules_waits.cc
Ranges Select(const OutContext& context);  // select and pselect6
Ranges Futex(const OutContext& context);

// out_rules_files.cc
Ranges Fcntl(const OutContext& context);
EntrySnapshot SnapshotNameToHandleAt(const SyscallArguments& call, const MemoryReaderFn& read);
Ranges NameToHandleAt(const OutContext& context);
Ranges Mincore(const OutContext& context);
Ranges ProcessMadvise(const OutContext& context);

// out_rules_ioctl.cc
Ranges Ioctl(const OutContext& context);

// out_rules_process.cc
Ranges Prctl(const OutContext& context);
Ranges ArchPrctl(const OutContext& context);
Ranges GetMempolicy(const OutContext& context);
Ranges Seccomp(const OutContext& context);
Ranges Msgrcv(const OutContext& context);
Ranges Msgctl(const OutContext& context);
Ranges Shmctl(const OutContext& context);
Ranges Semctl(const OutContext& context);
Ranges Keyctl(const OutContext& context);

}  // namespace chronofork::out_rules
