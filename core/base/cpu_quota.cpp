#include "core/base/cpu_quota.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/error.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using Quota = std::optional<double>;

Quota smaller(Quota a, Quota b) { return a && b ? std::min(*a, *b) : a ? a : b; }

/// Of two numbers of microseconds; none when one is missing, not positive, or the word "max".
Quota ratio_of(std::istream& quota, std::istream& period) {
  double time = 0, per = 0;
  if (!(quota >> time) || !(period >> per) || time <= 0 || per <= 0) return std::nullopt;
  return time / per;
}

/// "150000 100000"; without a limit "max 100000".
Quota unified_quota(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  return ratio_of(file, file);
}

/// Two files; without a limit the quota is -1.
Quota legacy_quota(const fs::path& group) {
  std::ifstream quota(group / "cpu.cfs_quota_us"), period(group / "cpu.cfs_period_us");
  return ratio_of(quota, period);
}

/// The least quota of `group`, an absolute path of /proc/self/cgroup, and of the groups above it. In a container the
/// path may be one of the host; the top of what is mounted is then the container's own group.
Quota least_quota(const fs::path& mount, const fs::path& group, Quota (*quota_of)(const fs::path&)) {
  Quota least = quota_of(mount);
  fs::path folder = mount;
  for (const fs::path& part : group.relative_path()) {
    folder /= part;
    least = smaller(least, quota_of(folder));
  }
  return least;
}

bool has_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

/// OMP_NUM_THREADS="" says nothing.
bool has_text(const char* variable) {
  const char* const text = std::getenv(variable);
  return text != nullptr && *text != '\0';
}

}  // namespace

std::optional<double> cpu_quota(const fs::path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  Quota quota;
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/user"; "0::/user" of v2
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) quota = smaller(quota, least_quota(root / "sys/fs/cgroup", group, unified_quota));
    if (!has_cpu(controllers)) continue;
    for (const std::string& mount : {controllers, std::string("cpu")}) {
      quota = smaller(quota, least_quota(root / "sys/fs/cgroup" / mount, group, legacy_quota));
    }
  }
  return quota;
}

void limit_threads_to_quota(const fs::path& root) {
  if (has_text("OMP_NUM_THREADS") || has_text("MKL_NUM_THREADS")) return;
  const auto quota = cpu_quota(root);
  if (!quota) return;
  const double allowed = std::ceil(*quota);
  if (allowed < at::get_num_threads()) at::set_num_threads(static_cast<int>(allowed));
}

void check_threads_start() {
  const auto wanted = static_cast<size_t>(at::get_num_threads());
  std::mutex all_started;
  std::vector<std::jthread> threads;           // joined last
  const std::lock_guard waiting(all_started);  // so that all exist at once
  try {
    while (threads.size() + 1 < wanted)
      threads.emplace_back([&all_started] { const std::lock_guard end(all_started); });
  } catch (const std::system_error&) {
    const size_t possible = threads.size() + 1;
    fail(ErrorKind::device, fmt::format("only {} of {} threads can start on this machine", possible, wanted),
         fmt::format(
             "OMP_NUM_THREADS={} uses fewer; `ulimit -u` shows how many processes and threads this user may have",
             possible));
  }
}

}  // namespace faststar
