#pragma once
#include <filesystem>
#include <istream>
#include <memory>
#include <string>

#include "core/base/error.h"

namespace faststar {

/// The extension of a file name in lower case, with its dot: ".mp4" for "Fox.MP4"; empty when it has none.
std::string lower_extension(const std::filesystem::path& path);

/// What to do when a file of that name exists.
enum class Existing { refuse, replace };
inline Existing replace_if(bool overwrite) { return overwrite ? Existing::replace : Existing::refuse; }

/// Throws Error(output) when `path` cannot be created: its folder is missing or not writable, it is a
/// folder, device or pipe itself, or it exists and `existing` is `refuse`. Leaves nothing behind.
void check_writable(const std::filesystem::path& path, Existing existing);

/// The file that `path` names: what a symbolic link leads to, else `path`. An output that is a link stays one.
std::filesystem::path link_target(std::filesystem::path path);

/// `.<name>.<pid>.partial` beside `path`: where a file or folder is written until it is complete.
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Removes what killed runs left in the folder of `path`: temporary files and folders and claims for it, and for others
/// of its extension, that no process holds. Looks once in each folder.
void remove_leftovers(const std::filesystem::path& path);

/// A file or folder that is removed with this object. A run that is stopped at once removes all of them with
/// remove_temporary_paths(), because no destructor runs then.
class TemporaryPath {
 public:
  explicit TemporaryPath(std::filesystem::path path);
  ~TemporaryPath();
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  const std::filesystem::path& path() const { return path_; }

  /// Locks what was just created there, so that remove_leftovers() of other processes spares it. False when one of them
  /// was faster.
  bool hold();

 private:
  std::filesystem::path path_;
  int held_ = -1;
};

/// Removes every temporary path of this process, just before it ends. Callable from any thread.
void remove_temporary_paths();

/// A file that appears under its final name only when it is complete: written as temporary_name(), which this creates,
/// renamed by commit(), removed when destroyed before that. What replaces a symbolic link replaces its target.
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

/// `.<name>.claim` beside `path`: see NameClaim.
std::filesystem::path claim_file(const std::filesystem::path& path);

/// The right of one run to make a file: two runs that start at once do not work for the same name. It is a locked,
/// hidden file beside it, `.<name>.claim`, that goes with this object; that of a killed process does not count.
class NameClaim {
 public:
  /// Claims `file`; null while another claim on it lives, in any process. A file system without locks never refuses.
  /// The folder must take files (check_writable). Throws Error(output).
  static std::shared_ptr<const NameClaim> take(const std::filesystem::path& file);

  NameClaim(const NameClaim&) = delete;
  NameClaim& operator=(const NameClaim&) = delete;

 private:
  struct Lock {
    int file;
    ~Lock();
  };
  NameClaim(const std::filesystem::path& claim, int lock) : lock_{lock}, file_(claim) {}

  Lock lock_;
  TemporaryPath file_;  ///< removed while it is locked: a claim of that name that comes later is another's
};

/// The same for a name that the user gave: throws Error(output) while another run makes the file, unless `existing`
/// lets it be replaced.
std::shared_ptr<const NameClaim> claim_name(const std::filesystem::path& file, Existing existing);

/// Gives the folder `made` the name `folder`. What a folder held that `existing` lets be replaced is then under `made`,
/// or gone. Throws Error(output).
void publish_folder(const std::filesystem::path& made, const std::filesystem::path& folder, Existing existing);

/// Creates `folder` and those above it that are missing. Throws Error(output).
void make_folders(const std::filesystem::path& folder);

/// Removes everything after the last line end: the line that a killed process left half-written. Does nothing when the
/// file does not exist. Throws Error(output).
void cut_torn_line(const std::filesystem::path& file);

/// All of `stream`, which messages call `origin`. Throws Error(kind) when it cannot be read, or is larger than what is
/// `expected` ("a prompt") can be: who names a video by mistake gets an error, not a long wait. UTF-16 with a mark is
/// returned as UTF-8; damaged, or without a mark, it is an error.
std::string read_text(std::istream& stream, const std::string& origin, const char* expected, size_t mebibytes,
                      ErrorKind kind);

/// Writes a file that holds `text`, atomically. Throws Error(output).
void write_file(const std::filesystem::path& path, const std::string& text, Existing existing);

/// Copies a file, atomically. Throws Error(output).
void copy_file(const std::filesystem::path& from, const std::filesystem::path& to, Existing existing);

}  // namespace faststar
