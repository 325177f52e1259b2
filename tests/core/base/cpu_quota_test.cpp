#include "core/base/cpu_quota.h"

#include <ATen/Parallel.h>

#include <cstdlib>

#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

void write_file_below(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  test::write_text(path, text);
}

/// Makes `groups` the /proc/self/cgroup below `root`.
void set_groups(const TempDir& root, const std::string& groups) { write_file_below(root / "proc/self/cgroup", groups); }

/// Threads and variables of this process as they were, at the end of a test.
class KeepThreads {
 public:
  KeepThreads() {
    for (auto& [name, value] : variables_) {
      if (const char* const text = std::getenv(name)) value = text;
      unsetenv(name);
    }
  }
  ~KeepThreads() {
    at::set_num_threads(threads_);
    for (const auto& [name, value] : variables_) value.empty() ? unsetenv(name) : setenv(name, value.c_str(), 1);
  }
  KeepThreads(const KeepThreads&) = delete;
  KeepThreads& operator=(const KeepThreads&) = delete;

 private:
  int threads_ = at::get_num_threads();
  std::vector<std::tuple<const char*, std::string>> variables_ = {{"OMP_NUM_THREADS", ""}, {"MKL_NUM_THREADS", ""}};
};

}  // namespace

TEST_CASE("a quota of cgroup v2 is a number of CPUs, and max is none", "[base]") {
  const TempDir root;
  set_groups(root, "0::/\n");
  CHECK_FALSE(cpu_quota(root.path()));
  write_file_below(root / "sys/fs/cgroup/cpu.max", "max 100000\n");
  CHECK_FALSE(cpu_quota(root.path()));
  write_file_below(root / "sys/fs/cgroup/cpu.max", "150000 100000\n");
  CHECK(cpu_quota(root.path()) == 1.5);
}

TEST_CASE("the group of the process and those above it limit it, others do not", "[base]") {
  const TempDir root;
  set_groups(root, "0::/user.slice/job_7/step_0\n");
  write_file_below(root / "sys/fs/cgroup/user.slice/cpu.max", "800000 100000\n");
  write_file_below(root / "sys/fs/cgroup/user.slice/job_8/cpu.max", "100000 100000\n");
  CHECK(cpu_quota(root.path()) == 8);
  write_file_below(root / "sys/fs/cgroup/user.slice/job_7/step_0/cpu.max", "max 100000\n");
  write_file_below(root / "sys/fs/cgroup/user.slice/job_7/cpu.max", "200000 50000\n");
  CHECK(cpu_quota(root.path()) == 4);
}

TEST_CASE("a quota of cgroup v1 is found under either name of its controller", "[base]") {
  const TempDir root;
  set_groups(root, "9:name=systemd:/\n4:cpu,cpuacct:/docker/abc\n2:cpuset:/x\n0::/\n");
  const std::string mount = GENERATE(as<std::string>{}, "cpu", "cpu,cpuacct");
  const std::string group = GENERATE(as<std::string>{}, "/", "/docker/abc/");  // in a container, and outside
  const fs::path folder = (root / ("sys/fs/cgroup/" + mount)).string() + group;
  write_file_below(folder / "cpu.cfs_period_us", "100000\n");
  write_file_below(folder / "cpu.cfs_quota_us", "-1\n");
  CHECK_FALSE(cpu_quota(root.path()));
  write_file_below(folder / "cpu.cfs_quota_us", "250000\n");
  CHECK(cpu_quota(root.path()) == 2.5);
}

TEST_CASE("LibTorch gets as many threads as the quota has CPUs, unless the user said how many", "[base]") {
  const KeepThreads keep;
  const TempDir root;
  at::set_num_threads(4);
  limit_threads_to_quota(root.path());
  CHECK(at::get_num_threads() == 4);
  set_groups(root, "0::/\n");
  write_file_below(root / "sys/fs/cgroup/cpu.max", "150000 100000\n");
  setenv(GENERATE("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "4", 1);
  limit_threads_to_quota(root.path());
  CHECK(at::get_num_threads() == 4);
  unsetenv("MKL_NUM_THREADS");
  setenv("OMP_NUM_THREADS", "", 1);
  limit_threads_to_quota(root.path());
  CHECK(at::get_num_threads() == 2);
  write_file_below(root / "sys/fs/cgroup/cpu.max", "10000 100000\n");
  limit_threads_to_quota(root.path());
  CHECK(at::get_num_threads() == 1);
}

TEST_CASE("without control groups, or with files that make no sense, there is no quota", "[base]") {
  const TempDir root;
  CHECK_FALSE(cpu_quota(root.path()));
  set_groups(root, "0::/\n:\nnothing\n");
  write_file_below(root / "sys/fs/cgroup/cpu.max",
                   GENERATE(as<std::string>{}, "", "1", "0 100000", "5 0", "-5 100000"));
  CHECK_FALSE(cpu_quota(root.path()));
}

}  // namespace faststar
