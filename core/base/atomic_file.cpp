#include "core/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <set>

#include "core/base/error.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail_taken(const fs::path& path) {
  fail(ErrorKind::output, fmt::format("{}: already exists", path.string()),
       "use --overwrite to replace it, or -o to name another file");
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

void rename_without_replacing(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST) fail_taken(to);
  if (errno == EINVAL || errno == ENOSYS) {  // a file system without the flag
    if (fs::exists(to)) fail_taken(to);
    if (std::rename(from.c_str(), to.c_str()) == 0) return;
  }
  fail_errno(ErrorKind::output, to.string(), "rename");
}

void flush_to_disk(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool flushed = file >= 0 && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  errno = error;
  if (!flushed && error != EINVAL && error != EROFS) fail_errno(ErrorKind::output, path.string(), "write");
}

/// `.<name>.<pid>.partial` beside `path`. Long names are cut: with the suffix they must stay under the usual 255 bytes.
fs::path temporary_name(const fs::path& path) {
  return folder_of(path) / fmt::format(".{}.{}.partial", path.filename().string().substr(0, 200), getpid());
}

/// Creates a file beside the output and removes it: permissions do not reveal read-only mounts, full inodes or names
/// that the file system refuses.
void try_to_create(const fs::path& path) {
  const fs::path temporary = temporary_name(path).string() + ".check";
  const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    fail_errno(ErrorKind::output, path.string(), ("write in " + folder_of(path).string()).c_str());
  }
  close(file);
  unlink(temporary.c_str());
}

struct TemporaryPaths {
  std::mutex mutex;
  std::set<fs::path> paths;
};

/// Never destroyed: the thread that stops a run may still need it while the program ends.
TemporaryPaths& temporary_paths() {
  static TemporaryPaths& instance = *new TemporaryPaths;
  return instance;
}

}  // namespace

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

void check_writable(const fs::path& path, Existing existing) {
  std::error_code ignored;
  const fs::path folder = folder_of(path);
  const auto refuse = [&path](const std::string& why, const std::string& hint = "") {
    fail(ErrorKind::output, fmt::format("{}: {}", path.string(), why), hint);
  };
  if (!fs::is_directory(folder, ignored)) {
    refuse(fmt::format("the folder {} does not exist", folder.string()), fmt::format("mkdir -p '{}'", folder.string()));
  }
  if (const size_t bytes = path.filename().native().size(); bytes > NAME_MAX) {
    refuse(fmt::format("expected a file name of at most {} bytes, got {}", NAME_MAX, bytes));
  }
  if (fs::is_directory(path, ignored)) refuse("is a folder, expected a file name");
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    refuse("is a device or pipe, expected a file name");
  }
  if (existing == Existing::refuse && fs::exists(fs::symlink_status(path, ignored))) fail_taken(path);
  try_to_create(path);
}

TemporaryPath::TemporaryPath(fs::path path) : path_(std::move(path)) {
  const std::lock_guard lock(temporary_paths().mutex);
  temporary_paths().paths.insert(path_);
}

TemporaryPath::~TemporaryPath() {
  const std::lock_guard lock(temporary_paths().mutex);
  temporary_paths().paths.erase(path_);
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void remove_temporary_paths() {
  const std::lock_guard lock(temporary_paths().mutex);
  std::error_code ignored;
  for (const fs::path& path : temporary_paths().paths) fs::remove_all(path, ignored);
}

AtomicFile::AtomicFile(fs::path final_path, Existing existing)
    : final_(std::move(final_path)), temporary_(temporary_name(final_)), existing_(existing) {
  check_writable(final_, existing);
}

void AtomicFile::commit() {
  flush_to_disk(temporary());
  if (existing_ == Existing::refuse) return rename_without_replacing(temporary(), final_);
  if (std::rename(temporary().c_str(), final_.c_str()) != 0) fail_errno(ErrorKind::output, final_.string(), "rename");
}

void cut_torn_line(const fs::path& file) {
  const int opened = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0 && errno == ENOENT) return;
  off_t end = opened < 0 ? 0 : lseek(opened, 0, SEEK_END);
  const off_t whole = end;
  char last = '\0';
  while (end > 0 && pread(opened, &last, 1, end - 1) == 1 && last != '\n') --end;
  const bool cut = opened >= 0 && (end == whole || ftruncate(opened, end) == 0);
  const int error = errno;
  if (opened >= 0) close(opened);
  errno = error;
  if (!cut) fail_errno(ErrorKind::output, file.string(), "write");
}

void write_file(const fs::path& path, const std::string& text, Existing existing) {
  AtomicFile file(path, existing);
  std::ofstream stream(file.temporary(), std::ios::binary);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  stream.close();
  if (!stream) fail_errno(ErrorKind::output, path.string(), "write");
  file.commit();
}

void copy_file(const fs::path& from, const fs::path& to, Existing existing) {
  AtomicFile file(to, existing);
  std::error_code error;
  fs::copy_file(from, file.temporary(), fs::copy_options::overwrite_existing, error);
  if (error)
    fail(ErrorKind::output, fmt::format("{}: cannot copy {}: {}", to.string(), from.string(), error.message()));
  file.commit();
}

}  // namespace faststar
