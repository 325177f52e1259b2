#pragma once
#include <filesystem>

namespace faststar {

/// Throws Error(input) for what is no file (a folder, pipe or device: pictures and videos are read more than once), and
/// for a file that is clearly something else than a picture or video that can be read: a HEIC photograph, a PDF, a
/// playlist, a Git LFS pointer. It says what that is and what to do. A missing file passes.
void check_is_media_file(const std::filesystem::path& path);

}  // namespace faststar
