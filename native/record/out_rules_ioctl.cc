// What ioctl writes.
//
// The number says direction and size for modern requests, but not whether the
// structure holds pointers to more memory, and old requests say nothing. So
// only families known to be flat are taken at their word; what is not listed
// here is recorded by its dirty pages.
#include <linux/ioctl.h>

#include <algorithm>
#include <iterator>

#include "record/out_rules.h"

namespace chronofork::out_rules {
namespace {

struct Request {
  uint32_t first;
  uint32_t last;  // inclusive
  uint16_t bytes;
};

// Requests whose numbers carry no size. Sorted. 0 bytes: writes nothing.
constexpr Request kPlain[] = {
    {0x0001, 0x0002, 4},   // FIBMAP, FIGETBSZ
    {0x0301, 0x0301, 16},  // HDIO_GETGEO
    {0x125d, 0x125d, 0},   // BLKROSET
    {0x125e, 0x125e, 4},   // BLKROGET
    {0x125f, 0x125f, 0},   // BLKRRPART
    {0x1260, 0x1260, 8},   // BLKGETSIZE
    {0x1261, 0x1262, 0},   // BLKFLSBUF, BLKRASET
    {0x1263, 0x1263, 8},   // BLKRAGET
    {0x1264, 0x1264, 0},   // BLKFRASET
    {0x1265, 0x1265, 8},   // BLKFRAGET
    {0x1266, 0x1266, 0},   // BLKSECTSET
    {0x1267, 0x1267, 2},   // BLKSECTGET
    {0x1268, 0x1268, 4},   // BLKSSZGET
    {0x1277, 0x1277, 0},   // BLKDISCARD
    {0x1278, 0x127c, 4},   // BLKIOMIN, IOOPT, ALIGNOFF, PBSZGET, DISCARDZEROES
    {0x127d, 0x127d, 0},   // BLKSECDISCARD
    {0x127e, 0x127e, 2},   // BLKROTATIONAL
    {0x127f, 0x127f, 0},   // BLKZEROOUT
    {0x5401, 0x5401, 36},  // TCGETS: the kernel's termios
    {0x5402, 0x5404, 0},   // TCSETS, TCSETSW, TCSETSF
    {0x5405, 0x5405, 18},  // TCGETA
    {0x5406, 0x540e, 0},   // TCSETA(W,F), TCSBRK, TCXONC, TCFLSH, TIOCEXCL, NXCL, SCTTY
    {0x540f, 0x540f, 4},   // TIOCGPGRP
    {0x5410, 0x5410, 0},   // TIOCSPGRP
    {0x5411, 0x5411, 4},   // TIOCOUTQ
    {0x5412, 0x5412, 0},   // TIOCSTI
    {0x5413, 0x5413, 8},   // TIOCGWINSZ
    {0x5414, 0x5414, 0},   // TIOCSWINSZ
    {0x5415, 0x5415, 4},   // TIOCMGET
    {0x5416, 0x5418, 0},   // TIOCMBIS, MBIC, MSET
    {0x5419, 0x5419, 4},   // TIOCGSOFTCAR
    {0x541a, 0x541a, 0},   // TIOCSSOFTCAR
    {0x541b, 0x541b, 4},   // FIONREAD
    {0x541d, 0x541d, 0},   // TIOCCONS
    {0x541e, 0x541e, 72},  // TIOCGSERIAL
    {0x541f, 0x5423, 0},   // TIOCSSERIAL, PKT, FIONBIO, NOTTY, SETD
    {0x5424, 0x5424, 4},   // TIOCGETD
    {0x5425, 0x5428, 0},   // TCSBRKP, TIOCSBRK, CBRK
    {0x5429, 0x5429, 4},   // TIOCGSID
    {0x5437, 0x5437, 0},   // TIOCVHANGUP
    {0x5441, 0x5441, 0},   // TIOCGPTPEER: answers by its result
    {0x5450, 0x5452, 0},   // FIONCLEX, FIOCLEX, FIOASYNC
    {0x5453, 0x5453, 0},   // TIOCSERCONFIG
    {0x5456, 0x5456, 36},  // TIOCGLCKTRMIOS
    {0x5457, 0x5457, 0},   // TIOCSLCKTRMIOS
    {0x545c, 0x545c, 0},   // TIOCMIWAIT
    {0x545d, 0x545d, 80},  // TIOCGICOUNT
    {0x5460, 0x5460, 8},   // FIOQSIZE
    {0x8901, 0x8902, 0},   // FIOSETOWN, SIOCSPGRP
    {0x8903, 0x8905, 4},   // FIOGETOWN, SIOCGPGRP, SIOCATMARK
    {0x8906, 0x8907, 16},  // SIOCGSTAMP(NS)_OLD
    {0x8910, 0x8911, 40},  // struct ifreq from here on; 0x8912 (SIOCGIFCONF) is below
    {0x8913, 0x893f, 40},  // SIOCGIF*, SIOCSIF*
    {0x8942, 0x8943, 40},  // SIOCGIFTXQLEN, SIOCSIFTXQLEN
    {0x8947, 0x8949, 40},  // SIOCGMIIPHY, GMIIREG, SMIIREG
    {0x894b, 0x894b, 4},   // SIOCOUTQNSD
    {0x8953, 0x8955, 68},  // SIOCDARP, GARP, SARP
    {0x8960, 0x8962, 68},  // SIOCDRARP, GRARP, SRARP
    {0x8970, 0x8971, 40},  // SIOCGIFMAP, SIOCSIFMAP
};

constexpr bool Sorted() {
  for (size_t i = 1; i < std::size(kPlain); ++i) {
    if (kPlain[i - 1].last >= kPlain[i].first) return false;
  }
  return true;
}
static_assert(Sorted(), "FindPlain() searches by number");

const Request* FindPlain(uint32_t number) {
  const Request* found = std::lower_bound(std::begin(kPlain), std::end(kPlain), number,
                                          [](const Request& request, uint32_t n) { return request.last < n; });
  return found != std::end(kPlain) && found->first <= number ? found : nullptr;
}

// Families (the second byte of the number) without pointers in their
// structures; the rest of the number can be believed.
bool IsFlatFamily(uint32_t number) {
  switch (_IOC_TYPE(number)) {
    case 'T':   // terminals: TCGETS2, TIOCGPTN, TIOCGRS485 …
    case 'v':   // FS_IOC_GETVERSION
    case 'X':   // FS_IOC_FSGETXATTR, FITRIM
    case 'E':   // evdev: the size is the caller's
    case 'j':   // joysticks
    case 0x12:  // block devices: BLKGETSIZE64
    case 0x89:  // SIOCGSTAMP_NEW
      return true;
    case 'f':
      return _IOC_NR(number) == 1 || _IOC_NR(number) == 2;  // FS_IOC_(GET|SET)FLAGS; FIEMAP has a list behind it
    case 'R': return _IOC_NR(number) == 0 || _IOC_NR(number) == 1;  // RNDGETENTCNT, RNDADDTOENTCNT
    case 0x94:
      return _IOC_NR(number) == 9 || _IOC_NR(number) == 13 || _IOC_NR(number) == 49;  // FICLONE(RANGE), GETFSLABEL
    case 'p': return _IOC_NR(number) <= 0x14;                                         // /dev/rtc
    default: return false;
  }
}

// SIOCGIFCONF: a length, and a pointer to the list of interfaces.
Ranges InterfaceList(const OutContext& context) {
  struct {
    int32_t length;
    uint64_t buffer;
  } list{};
  static_assert(sizeof list == 16, "struct ifconf");
  auto read = ReadValue<decltype(list)>(context.read, context.argument(2));
  if (!read) return std::nullopt;
  RangeList ranges;
  ranges.Add(context.argument(2), sizeof list);
  ranges.Add(read->buffer, static_cast<uint64_t>(std::max(read->length, 0)));
  return ranges.Take();
}

}  // namespace

Ranges Ioctl(const OutContext& context) {
  constexpr uint32_t kInterfaceList = 0x8912;  // SIOCGIFCONF
  auto number = static_cast<uint32_t>(context.argument(1));
  if (number == kInterfaceList) return context.succeeded() ? InterfaceList(context) : std::nullopt;
  RangeList ranges;
  if (const Request* plain = FindPlain(number)) {
    ranges.Add(context.argument(2), plain->bytes);
    return ranges.Take();
  }
  if (!IsFlatFamily(number) || _IOC_SIZE(number) == 0) return std::nullopt;
  if ((_IOC_DIR(number) & _IOC_READ) != 0) ranges.Add(context.argument(2), _IOC_SIZE(number));
  return ranges.Take();
}

}  // namespace chronofork::out_rules
