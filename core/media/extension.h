#pragma once
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>

namespace faststar {

/// The extension of a file name in lower case, with its dot: ".mp4" for "Fox.MP4"; empty when it has none.
inline std::string lower_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

}  // namespace faststar
