#pragma once
#include <filesystem>
#include <string>

#include "core/base/temporary_path.h"

namespace faststar {

/// What to do when the final name is taken.
enum class Existing { refuse, replace };

/// Throws Error(output) when `path` cannot be created: its folder is missing or not writable, it is a
/// folder, device or pipe itself, or it exists and `existing` is `refuse`. Leaves nothing behind.
void check_writable(const std::filesystem::path& path, Existing existing);

/// A file that appears under its final name only when it is whole: written as `.<name>.<pid>.partial`
/// beside it, renamed by commit(), removed when destroyed before that.
class AtomicFile {
 public:
  AtomicFile(std::filesystem::path final_path, Existing existing);

  /// Where to write.
  const std::filesystem::path& temporary() const { return temporary_.path(); }
  /// Flushes to disk and renames. Throws Error(output); the final name is then untouched.
  void commit();

 private:
  std::filesystem::path final_;
  TemporaryPath temporary_;
  Existing existing_;
};

/// Cuts off what stands behind the last line end: in a file of lines, what a killed process left half-written. Does
/// nothing without a file. Throws Error(output).
void cut_torn_line(const std::filesystem::path& file);

/// Writes `text` as a whole file, atomically. Throws Error(output).
void write_file(const std::filesystem::path& path, const std::string& text, Existing existing);

/// Copies a file, atomically. Throws Error(output).
void copy_file(const std::filesystem::path& from, const std::filesystem::path& to, Existing existing);

}  // namespace faststar
