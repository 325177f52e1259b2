#include "core/base/temporary_path.h"

#include <mutex>
#include <set>

namespace faststar {
namespace fs = std::filesystem;
namespace {

struct Registry {
  std::mutex mutex;
  std::set<fs::path> paths;
};

/// Never destroyed: the thread that stops a run may still need it while the program ends.
Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

}  // namespace

TemporaryPath::TemporaryPath(fs::path path) : path_(std::move(path)) {
  const std::lock_guard lock(registry().mutex);
  registry().paths.insert(path_);
}

TemporaryPath::~TemporaryPath() {
  const std::lock_guard lock(registry().mutex);
  registry().paths.erase(path_);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void remove_temporary_paths() {
  const std::lock_guard lock(registry().mutex);
  std::error_code ignored;
  for (const fs::path& path : registry().paths) fs::remove_all(path, ignored);
}

}  // namespace faststar
