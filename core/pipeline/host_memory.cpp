#include "core/pipeline/host_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kKilobyte = 1024;

/// The number behind the word `key`; 0 without it, or without the file.
int64_t number_in(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string word; stream >> word;) {
    int64_t number = 0;
    if (word == key && stream >> number) return number;
  }
  return 0;
}

/// The number that the file is; nothing for "max", or without the file.
std::optional<int64_t> number_of(const fs::path& file) {
  std::ifstream stream(file);
  int64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

/// What the limit of the control group leaves; a huge number without a limit.
int64_t control_group_bytes(const fs::path& group) {
  const auto limit = number_of(group / "memory.max");
  if (!limit) return std::numeric_limits<int64_t>::max();
  const int64_t cache =
      number_in(group / "memory.stat", "active_file") + number_in(group / "memory.stat", "inactive_file");
  const int64_t used = number_of(group / "memory.current").value_or(0) - cache;
  return std::clamp<int64_t>(*limit - used, 0, *limit);
}

}  // namespace

int64_t usable_host_bytes(const fs::path& root) {
  const int64_t available = number_in(root / "proc/meminfo", "MemAvailable:") * kKilobyte;
  return std::min(available, control_group_bytes(root / "sys/fs/cgroup")) +
         number_in(root / "proc/self/status", "RssAnon:") * kKilobyte;
}

}  // namespace faststar
