#pragma once
#include <filesystem>
#include <vector>

namespace faststar {

/// The files of a model: `paths` and, of folders, what lies in them.
std::vector<std::filesystem::path> files_of(const std::vector<std::filesystem::path>& paths);

/// Asks the kernel to forget its copies of the files' pages (posix_fadvise). Pages that somebody maps stay.
void drop_from_page_cache(const std::vector<std::filesystem::path>& files);

/// Share of the files' pages that memory holds, 0 to 1; 0 where the kernel does not tell.
double cached_share(const std::vector<std::filesystem::path>& files);

}  // namespace faststar
