#include "core/pipeline/host_memory.h"

#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

/// A machine with 8 GiB free whose process holds 1 GiB, 2 GiB of files mapped beside.
void write_machine(const fs::path& root) {
  fs::create_directories(root / "proc/self");
  fs::create_directories(root / "sys/fs/cgroup");
  test::write_text(root / "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
  test::write_text(root / "proc/self/status", "VmRSS:\t3145728 kB\nRssAnon:\t1048576 kB\nRssFile:\t2097152 kB\n");
}

constexpr int64_t kGibibyte = int64_t{1} << 30;

TEST_CASE("host memory is what the machine has free and what this process holds", "[plan]") {
  const test::TempDir root;
  write_machine(root.path());
  CHECK(usable_host_bytes(root.path()) == 9 * kGibibyte);
  test::write_text(root / "sys/fs/cgroup/memory.max", "max\n");
  CHECK(usable_host_bytes(root.path()) == 9 * kGibibyte);
}

TEST_CASE("in a control group page cache is no memory in use", "[plan]") {
  const test::TempDir root;
  write_machine(root.path());
  test::write_text(root / "sys/fs/cgroup/memory.max", std::to_string(6 * kGibibyte));
  test::write_text(root / "sys/fs/cgroup/memory.current", std::to_string(6 * kGibibyte));
  test::write_text(root / "sys/fs/cgroup/memory.stat",
                   fmt::format("anon {}\ninactive_file {}\nactive_file {}\n", 2 * kGibibyte, 3 * kGibibyte, kGibibyte));
  CHECK(usable_host_bytes(root.path()) == 5 * kGibibyte);
  fs::remove(root / "sys/fs/cgroup/memory.stat");
  CHECK(usable_host_bytes(root.path()) == kGibibyte);
}

TEST_CASE("this machine has host memory", "[plan]") { CHECK(usable_host_bytes() > 0); }

}  // namespace
}  // namespace faststar
