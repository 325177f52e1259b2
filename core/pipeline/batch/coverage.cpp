#include "core/pipeline/batch/coverage.h"

#include <algorithm>
#include <set>

namespace faststar {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> foreign_entries(const BatchFolder& folder, const std::set<fs::path>& folders,
                                         const std::string& ending) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::path& path : folders) {
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
      const bool video = entry.is_regular_file(ignored) && entry.path().extension() == ending;
      if (!video && !folders.contains(entry.path()))
        names.push_back(entry.path().lexically_relative(folder.videos()).string());
    }
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

Coverage check_coverage(const BatchFolder& folder, const std::vector<BatchItem>& items) {
  const Manifest manifest(folder.manifest());
  Coverage coverage{.expected = static_cast<int64_t>(items.size())};
  std::set<fs::path> folders;
  for (const BatchItem& item : items) {
    folders.insert(folder.video(item).parent_path());
    std::error_code error;
    const auto bytes = fs::file_size(folder.video(item), error);
    const ItemState* state = manifest.find(item.file);
    const bool recorded = state != nullptr && state->last.finished;
    if (error) {
      coverage.missing.push_back(item.file);
    } else if (bytes == 0 || (recorded && static_cast<int64_t>(bytes) != state->last.bytes)) {
      coverage.damaged.push_back(item.file);
    }
  }
  if (!items.empty())
    coverage.foreign = foreign_entries(folder, folders, fs::path(items.front().file).extension().string());
  return coverage;
}

}  // namespace faststar
