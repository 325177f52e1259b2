#include "core/lab/bench/page_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// A file open for reading; descriptor -1 when it cannot be opened.
struct OpenFile {
  explicit OpenFile(const fs::path& path) : descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (descriptor >= 0) close(descriptor);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor;
};

struct PageCount {
  size_t all = 0;
  size_t cached = 0;
};

PageCount count_pages(const fs::path& path) {
  const OpenFile file(path);
  std::error_code error;
  const auto bytes = static_cast<size_t>(fs::file_size(path, error));
  if (file.descriptor < 0 || error || bytes == 0) return {};
  void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.descriptor, 0);
  if (mapped == MAP_FAILED) return {};
  const auto page = static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  std::vector<unsigned char> present((bytes + page - 1) / page);
  const bool told = mincore(mapped, bytes, present.data()) == 0;
  munmap(mapped, bytes);
  if (!told) return {};
  return {present.size(), static_cast<size_t>(std::ranges::count_if(present, [](auto flags) { return flags & 1; }))};
}

}  // namespace

std::vector<fs::path> files_of(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const fs::path& path : paths) {
    if (fs::is_regular_file(path, ignored)) files.push_back(path);
    if (!fs::is_directory(path, ignored)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path, ignored)) {
      if (entry.is_regular_file(ignored)) files.push_back(entry.path());
    }
  }
  return files;
}

void drop_from_page_cache(const std::vector<fs::path>& files) {
  for (const fs::path& path : files) {
    const OpenFile file(path);
    if (file.descriptor < 0) continue;
    fdatasync(file.descriptor);  // pages that are not on the disk yet stay
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED);
  }
}

double cached_share(const std::vector<fs::path>& files) {
  PageCount sum;
  for (const fs::path& file : files) {
    const PageCount pages = count_pages(file);
    sum.all += pages.all;
    sum.cached += pages.cached;
  }
  return sum.all == 0 ? 0 : static_cast<double>(sum.cached) / static_cast<double>(sum.all);
}

}  // namespace faststar
