// Reads small files of /proc and /sys. A file that is missing means "not so".
#include "kernel/surroundings.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace chronofork {
namespace {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The first number in a file; nullopt for "max" and for no file.
std::optional<uint64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  uint64_t number;
  if (file >> number) return number;
  return std::nullopt;
}

// Where our control group's files are: v2, mounted at the usual place, which
// inside a container shows its own group.
std::string ControlGroupFolder() {
  std::istringstream lines(ReadText("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "/sys/fs/cgroup";
}

std::optional<uint64_t> Left(const std::string& folder, const char* limit_name, const char* used_name) {
  std::optional<uint64_t> limit = ReadNumber(folder + "/" + limit_name);
  std::optional<uint64_t> used = ReadNumber(folder + "/" + used_name);
  if (!limit || !used) return std::nullopt;
  return *limit > *used ? *limit - *used : 0;
}

bool InContainer() {
  if (access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0) return true;
  if (std::getenv("container") != nullptr || std::getenv("KUBERNETES_SERVICE_HOST") != nullptr) return true;
  std::string groups = ReadText("/proc/1/cgroup");
  return groups.find("docker") != std::string::npos || groups.find("kubepods") != std::string::npos ||
         groups.find("lxc") != std::string::npos;
}

uint64_t ThreadsOfUser(uid_t user) {
  using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;
  Folder processes(opendir("/proc"), closedir);
  uint64_t count = 0;
  while (dirent* entry = processes ? readdir(processes.get()) : nullptr) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    std::string path = std::string("/proc/") + entry->d_name + "/task";
    struct stat status;
    if (stat(path.c_str(), &status) != 0 || status.st_uid != user) continue;
    count += std::max<uint64_t>(status.st_nlink, 3) - 2;  // a folder for each thread
  }
  return count;
}

}  // namespace

std::string DescribeSurroundings() {
  std::string version = ReadText("/proc/version");
  if (version.find("microsoft") != std::string::npos || version.find("Microsoft") != std::string::npos) {
    return version.find("WSL2") != std::string::npos || access("/run/WSL", F_OK) == 0 ? "WSL2" : "WSL";
  }
  std::string processor = ReadText("/proc/cpuinfo");
  bool virtual_machine = processor.find(" hypervisor") != std::string::npos;
  std::string maker = ReadText("/sys/class/dmi/id/sys_vendor");
  while (!maker.empty() && maker.back() == '\n') maker.pop_back();
  std::string machine = !virtual_machine ? ""
                        : maker.empty()  ? "a virtual machine"
                                         : "a virtual machine (" + maker + ")";
  if (InContainer()) return machine.empty() ? "a container" : "a container on " + machine;
  return machine.empty() ? "no container, no virtual machine seen" : machine;
}

std::optional<uint64_t> AvailableMemoryBytes() {
  std::optional<uint64_t> available;
  std::istringstream lines(ReadText("/proc/meminfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("MemAvailable:")) available = std::strtoull(line.c_str() + 13, nullptr, 10) * 1024;
  }
  std::optional<uint64_t> in_group = Left(ControlGroupFolder(), "memory.max", "memory.current");
  if (in_group && (!available || *in_group < *available)) return in_group;
  return available;
}

std::optional<uint64_t> ProcessHeadroom() {
  std::optional<uint64_t> headroom = Left(ControlGroupFolder(), "pids.max", "pids.current");
  rlimit limit;
  bool limited = geteuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  if (limited) {
    uint64_t used = ThreadsOfUser(getuid());
    uint64_t left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
    headroom = std::min(headroom.value_or(left), left);
  }
  return headroom;
}

std::optional<int> YamaPtraceScope() {
  std::optional<uint64_t> scope = ReadNumber("/proc/sys/kernel/yama/ptrace_scope");
  return scope ? std::optional<int>(static_cast<int>(*scope)) : std::nullopt;
}

}  // namespace chronofork
