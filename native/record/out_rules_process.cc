// What calls about the process itself and about System V objects write, by
// command. Commands that are not listed are recorded by their dirty pages.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <algorithm>

#include "kernel/uapi.h"
#include "record/out_rules.h"

namespace chronofork::out_rules {
namespace {

Ranges OnSuccess(const OutContext& context, int pointer, uint64_t length_bytes) {
  RangeList ranges;
  if (context.succeeded()) ranges.Add(context.argument(pointer), length_bytes);
  return ranges.Take();
}

Ranges Nothing() { return std::vector<AddressRange>{}; }

uint64_t ResultUpTo(const OutContext& context, int limit) {
  return context.succeeded() ? std::min(static_cast<uint64_t>(context.result), context.argument(limit)) : 0;
}

}  // namespace

Ranges Prctl(const OutContext& context) {
  constexpr uint64_t kNameBytes = 16;  // TASK_COMM_LEN
  switch (static_cast<uint32_t>(context.argument(0))) {
    case PR_GET_PDEATHSIG:
    case PR_GET_UNALIGN:
    case PR_GET_FPEMU:
    case PR_GET_FPEXC:
    case PR_GET_ENDIAN:
    case PR_GET_TSC:
    case PR_GET_CHILD_SUBREAPER: return OnSuccess(context, 1, 4);
    case PR_GET_TID_ADDRESS: return OnSuccess(context, 1, 8);
    case PR_GET_NAME: return OnSuccess(context, 1, kNameBytes);
    case PR_SET_MM: return OnSuccess(context, 2, context.argument(1) == PR_SET_MM_MAP_SIZE ? 4 : 0);
    case uapi::kPrctlGetAuxv: return OnSuccess(context, 1, ResultUpTo(context, 2));
    case PR_SCHED_CORE: return OnSuccess(context, 4, context.argument(1) == PR_SCHED_CORE_GET ? 8 : 0);
    default:
      // Options up to PR_LOCK_SHADOW_STACK_STATUS (76) are all known to answer
      // by their result; what comes later is not known.
      if (static_cast<uint32_t>(context.argument(0)) <= uapi::kPrctlLastKnown) return Nothing();
      if (static_cast<uint32_t>(context.argument(0)) == uapi::kPrctlSetVma ||
          static_cast<uint32_t>(context.argument(0)) == uapi::kPrctlSetPtracer) {
        return Nothing();
      }
      return std::nullopt;
  }
}

Ranges ArchPrctl(const OutContext& context) {
  switch (static_cast<uint32_t>(context.argument(0))) {
    case uapi::kArchGetFs:
    case uapi::kArchGetGs:
    case uapi::kArchGetXcompSupported:
    case uapi::kArchGetXcompPermitted:
    case uapi::kArchGetXcompGuestPermitted:
    case uapi::kArchGetUntagMask:
    case uapi::kArchGetMaxTagBits:
    case uapi::kArchShadowStackStatus: return OnSuccess(context, 1, 8);
    default: return Nothing();
  }
}

Ranges GetMempolicy(const OutContext& context) {
  constexpr uint64_t kMostNodes = 1 << 20;  // the kernel refuses more than a page of bits
  RangeList ranges;
  if (!context.succeeded()) return ranges.Take();
  ranges.Add(context.argument(0), 4);
  ranges.Add(context.argument(1), (std::min(context.argument(2), kMostNodes) / 64 + 1) * 8);
  return ranges.Take();
}

Ranges Seccomp(const OutContext& context) {
  return OnSuccess(context, 2, static_cast<uint32_t>(context.argument(0)) == uapi::kSeccompGetNotifSizes ? 6 : 0);
}

Ranges Msgrcv(const OutContext& context) {
  return OnSuccess(context, 1, sizeof(long) + static_cast<uint64_t>(context.result));
}

Ranges Msgctl(const OutContext& context) {
  switch (static_cast<int>(context.argument(1))) {
    case IPC_STAT:
    case MSG_STAT:
    case uapi::kMsgStatAny: return OnSuccess(context, 2, sizeof(msqid_ds));
    case IPC_INFO:
    case MSG_INFO: return OnSuccess(context, 2, uapi::kMsginfoBytes);
    default: return Nothing();
  }
}

Ranges Shmctl(const OutContext& context) {
  switch (static_cast<int>(context.argument(1))) {
    case IPC_STAT:
    case SHM_STAT:
    case uapi::kShmStatAny: return OnSuccess(context, 2, sizeof(shmid_ds));
    case IPC_INFO: return OnSuccess(context, 2, uapi::kShminfoBytes);
    case SHM_INFO: return OnSuccess(context, 2, uapi::kShmInfoBytes);
    default: return Nothing();
  }
}

Ranges Semctl(const OutContext& context) {
  switch (static_cast<int>(context.argument(2))) {
    case IPC_STAT:
    case SEM_STAT:
    case uapi::kSemStatAny: return OnSuccess(context, 3, sizeof(semid_ds));
    case IPC_INFO:
    case SEM_INFO: return OnSuccess(context, 3, uapi::kSeminfoBytes);
    case GETALL: return std::nullopt;  // as many as the set has semaphores, which no argument says
    default: return Nothing();
  }
}

Ranges Keyctl(const OutContext& context) {
  auto operation = static_cast<uint32_t>(context.argument(0));
  switch (operation) {
    case uapi::kKeyctlDescribe:
    case uapi::kKeyctlRead:
    case uapi::kKeyctlGetSecurity: return OnSuccess(context, 2, ResultUpTo(context, 3));
    default:
      // Up to KEYCTL_GET_PERSISTENT all others answer by their result; the
      // public-key operations after it have structures of pointers.
      return operation <= uapi::kKeyctlGetPersistent ? Nothing() : std::nullopt;
  }
}

}  // namespace chronofork::out_rules
