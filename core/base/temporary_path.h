#pragma once
#include <filesystem>

namespace faststar {

/// A file or folder that is removed with this object. A run that is stopped at once removes all of them
/// through remove_temporary_paths(), as no destructor runs then.
class TemporaryPath {
 public:
  explicit TemporaryPath(std::filesystem::path path);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Removes every temporary path of this process. For the moment before it ends; callable from any thread.
void remove_temporary_paths();

}  // namespace faststar
