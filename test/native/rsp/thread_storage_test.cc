// Thread-local variables: our own, found the way gdb has it done.
#include "rsp/thread_storage.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <link.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <thread>

namespace chronofork {
namespace {

thread_local int own_variable = 7;

Result<void> ReadOwn(TraceeAddress address, std::span<std::byte> out) {
  std::memcpy(out.data(), reinterpret_cast<const void*>(address.value), out.size());
  return {};
}

TraceeAddress ThreadPointer() { return TraceeAddress(reinterpret_cast<uint64_t>(__builtin_thread_pointer())); }

ThreadStorage Answered() {
  ThreadStorage storage;
  for (std::string_view name = storage.Wanted(); !name.empty(); name = storage.Wanted()) {
    void* address = dlsym(RTLD_DEFAULT, std::string(name).c_str());
    storage.Answer(name, address ? std::optional(TraceeAddress(reinterpret_cast<uint64_t>(address))) : std::nullopt);
  }
  return storage;
}

// This process' modules with thread-local variables, by their load address.
std::map<uint64_t, uint64_t> BlocksOfThisThread() {
  std::map<uint64_t, uint64_t> blocks;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        if (info->dlpi_tls_data) {
          (*static_cast<std::map<uint64_t, uint64_t>*>(out))[info->dlpi_addr] =
              reinterpret_cast<uint64_t>(info->dlpi_tls_data);
        }
        return 0;
      },
      &blocks);
  return blocks;
}

void CheckAllModules() {
  ThreadStorage storage = Answered();
  std::map<uint64_t, uint64_t> blocks = BlocksOfThisThread();
  int found = 0;
  for (link_map* map = _r_debug.r_map; map; map = map->l_next) {
    auto block = blocks.find(map->l_addr);
    if (block == blocks.end()) continue;
    CAPTURE(std::string(map->l_name));
    Result<TraceeAddress> address =
        storage.AddressOf(ThreadPointer(), TraceeAddress(reinterpret_cast<uint64_t>(map)), 0x10, ReadOwn);
    REQUIRE(address.ok());
    CHECK(address->value == block->second + 0x10);
    ++found;
  }
  CHECK(found >= 2);  // this program and the C library
}

TEST_CASE("rsp thread storage: every module's block is where the loader says") {
  own_variable = 8;
  CheckAllModules();
  bool errno_is_in_a_block = false;
  for (auto [load_address, block] : BlocksOfThisThread()) {
    uint64_t distance = reinterpret_cast<uint64_t>(&errno) - block;
    errno_is_in_a_block |= distance < 0x10000;
  }
  CHECK(errno_is_in_a_block);
}

TEST_CASE("rsp thread storage: of another thread too") {
  std::thread([] {
    own_variable = 9;
    CheckAllModules();
  }).join();
}

TEST_CASE("rsp thread storage: without a link map, the program's own") {
  Result<TraceeAddress> address = Answered().AddressOf(ThreadPointer(), TraceeAddress(), 0, ReadOwn);
  REQUIRE(address.ok());
  uint64_t distance = reinterpret_cast<uint64_t>(&own_variable) - address->value;
  CHECK(distance < 0x10000);
}

TEST_CASE("rsp thread storage: symbols are asked for until one is missing, and again later") {
  ThreadStorage storage;
  std::string first(storage.Wanted());
  CHECK(first == "_thread_db_link_map_l_tls_modid");
  storage.Answer(first, std::nullopt);
  CHECK(storage.Wanted().empty());
  CHECK_FALSE(storage.AddressOf(ThreadPointer(), TraceeAddress(), 0, ReadOwn).ok());
  storage.Retry();
  CHECK(storage.Wanted() == first);
  ThreadStorage answered = Answered();
  CHECK(answered.Wanted().empty());
  answered.Forget();
  CHECK(answered.Wanted() == first);
}

// A thread's structures, made by hand: descriptions at 0x100…, the thread
// pointer at 0x1000, its table at 0x2000, link maps at 0x3000.
struct Scene {
  std::map<uint64_t, uint64_t> words;
  ThreadStorage storage;

  Scene() {
    Describe("_thread_db_link_map_l_tls_modid", 0x100, 64, 0x18);
    Describe("_thread_db_link_map_l_tls_offset", 0x110, 64, 0x20);
    Describe("_thread_db_pthread_dtvp", 0x120, 64, 8);
    Describe("_thread_db_dtv_dtv", 0x130, 128, 0);
    Describe("_thread_db_dtv_t_pointer_val", 0x140, 64, 0);
    words[0x1008] = 0x2000;
    words[0x1ff0] = 4;             // entries
    words[0x2010] = 0x5000;        // module 1
    words[0x2020] = ~uint64_t{0};  // module 2: not made yet
    words[0x2030] = 0;             // module 3: never seen
  }
  void Describe(const char* name, uint64_t at, uint64_t bits, uint64_t offset) {
    words[at] = bits | uint64_t{1} << 32;
    words[at + 8] = offset;
    storage.Answer(name, TraceeAddress(at));
  }
  Result<TraceeAddress> Find(uint64_t module, uint64_t static_offset) {
    words[0x3018] = module;
    words[0x3020] = static_offset;
    return storage.AddressOf(TraceeAddress(0x1000), TraceeAddress(0x3000), 4,
                             [this](TraceeAddress address, std::span<std::byte> out) -> Result<void> {
                               for (size_t i = 0; i < out.size(); i += 8) {
                                 auto word = words.find(address.value + i);
                                 if (word == words.end()) return Error{"memoryUnreadable", "", "", 0, 0};
                                 std::memcpy(out.data() + i, &word->second, std::min<size_t>(8, out.size() - i));
                               }
                               return {};
                             });
  }
};

TEST_CASE("rsp thread storage: blocks that are not made yet") {
  Scene scene;
  CHECK(scene.Find(1, 0)->value == 0x5004);
  CHECK_FALSE(scene.Find(2, 0).ok());
  CHECK_FALSE(scene.Find(2, ~uint64_t{0}).ok());
  CHECK(scene.Find(2, 0x40)->value == 0x1000 - 0x40 + 4);  // has its place all the same
  CHECK_FALSE(scene.Find(3, 0).ok());
  CHECK_FALSE(scene.Find(5, 0).ok());  // beyond the table
  CHECK_FALSE(scene.Find(~uint64_t{0}, 0).ok());
  CHECK_FALSE(scene.Find(0, 0).ok());
  scene.words[0x1008] = 0;
  CHECK_FALSE(scene.Find(1, 0).ok());
  scene.words.erase(0x1008);
  CHECK_FALSE(scene.Find(1, 0).ok());
}

}  // namespace
}  // namespace chronofork
