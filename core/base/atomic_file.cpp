#include "core/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail_taken(const fs::path& path) {
  fail(ErrorKind::output, fmt::format("{}: already exists", path.string()),
       "use --overwrite to replace it, or name another file");
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

/// Long names are cut, as with an ending they must stay under the usual 255 bytes; a hash of the whole keeps names
/// apart that begin alike.
std::string short_name(const fs::path& path) {
  constexpr size_t kLongest = 200, kKept = 160, kLongestExtension = 20;
  const std::string name = path.filename().string(), extension = path.extension().string();
  if (name.size() <= kLongest) return name;
  return fmt::format("{}-{:016x}{}", beginning_of(name, kKept), fnv1a(name),
                     extension.size() <= kLongestExtension ? extension : "");
}

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

constexpr std::string_view kPartial = ".partial", kCheck = ".partial.check", kClaim = ".claim";

/// Creates an empty file that nobody made before: a link that was planted under its name is not followed.
void create_new(const fs::path& file, const fs::path& output) {
  const int created = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (created < 0) {
    fail_errno(ErrorKind::output, output.string(), ("write in " + folder_of(output).string()).c_str());
  }
  close(created);
}

/// Creates a file beside the output and removes it: permissions do not reveal read-only mounts, full inodes or names
/// that the file system refuses.
void try_to_create(const fs::path& path) {
  const fs::path temporary = temporary_name(path).string() + ".check";
  unlink(temporary.c_str());
  create_new(temporary, path);
  unlink(temporary.c_str());
}

/// Cuts `end` off a name; false when it ends otherwise.
bool cut_end(std::string_view& name, std::string_view end) {
  if (!name.ends_with(end)) return false;
  name.remove_suffix(end.size());
  return true;
}

/// Cuts ".<pid>" off a name; false when it ends otherwise.
bool cut_pid(std::string_view& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot + 1 == name.size()) return false;
  const bool pid = name.find_first_not_of("0123456789", dot + 1) == std::string_view::npos;
  name = name.substr(0, dot);
  return pid;
}

/// True for `.<name>.<pid>.partial`, `.partial.check` and `.<name>.claim`, <name> being that of `output` or with the
/// same extension.
bool is_temporary_of(const fs::path& output, std::string_view name) {
  const bool known = cut_end(name, kClaim) || ((cut_end(name, kCheck) || cut_end(name, kPartial)) && cut_pid(name));
  if (!known || name.size() < 2 || name.front() != '.') return false;
  const std::string extension = output.extension().string();
  return name.substr(1) == short_name(output) || (!extension.empty() && name.ends_with(extension));
}

/// True when no process holds `path`. False also where the file system has no locks.
bool is_left_over(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (fs::is_symlink(status)) return true;  // we make none
  const int access = fs::is_directory(status) ? O_RDONLY : O_RDWR;
  const int file = open(path.c_str(), access | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  const bool free = file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0;
  if (file >= 0) close(file);
  return free;
}

/// True when `path` still is the file that is open as `file`: its last holder may have removed it meanwhile.
bool is_same_file(int file, const fs::path& path) {
  struct stat opened {
  }, named{};
  return fstat(file, &opened) == 0 && lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
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

fs::path link_target(fs::path path) {
  constexpr int kMostLinks = 40;  // as Linux follows
  std::error_code error;
  for (int links = 0; links < kMostLinks && fs::is_symlink(fs::symlink_status(path, error)); ++links) {
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path;
}

void check_writable(const fs::path& named, Existing existing) {
  if (named.empty()) fail(ErrorKind::usage, "expected a file name, got nothing");
  const fs::path path = existing == Existing::replace ? link_target(named) : named;
  std::error_code ignored;
  const fs::path folder = folder_of(path);
  const auto refuse = [&path](const std::string& why, const std::string& hint = "") {
    fail(ErrorKind::output, fmt::format("{}: {}", path.string(), why), hint);
  };
  if (fs::exists(folder, ignored) && !fs::is_directory(folder, ignored)) {
    refuse(fmt::format("{} is a file, not a folder", folder.string()), "use -o to name another file");
  }
  if (!fs::is_directory(folder, ignored)) {
    refuse(fmt::format("the folder {} does not exist", folder.string()), "mkdir -p " + shell_quoted(folder.string()));
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

fs::path temporary_name(const fs::path& path) {
  return folder_of(path) / fmt::format(".{}.{}.partial", short_name(path), getpid());
}

void remove_leftovers(const fs::path& path) {
  static std::mutex mutex;
  static std::set<fs::path>& swept = *new std::set<fs::path>;  // a run of many files need not look again
  const std::lock_guard lock(mutex);
  std::error_code ignored;
  const fs::path kind = path.has_extension() ? path.extension() : path.filename();
  if (!swept.insert(fs::absolute(folder_of(path), ignored) / kind).second) return;
  std::vector<fs::path> leftovers;
  for (fs::directory_iterator entry(folder_of(path), ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (is_temporary_of(path, entry->path().filename().string())) leftovers.push_back(entry->path());
  }
  for (const fs::path& leftover : leftovers) {
    if (is_left_over(leftover)) fs::remove_all(leftover, ignored);
  }
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
  if (held_ >= 0) close(held_);
}

bool TemporaryPath::hold() {
  std::error_code ignored;
  const int access = fs::is_directory(path_, ignored) ? O_RDONLY : O_RDWR;
  held_ = open(path_.c_str(), access | O_NOFOLLOW | O_CLOEXEC);
  if (held_ < 0) return errno != ENOENT;
  flock(held_, LOCK_EX | LOCK_NB);  // where this fails, nobody takes the path for a leftover either
  struct stat status {};
  if (fstat(held_, &status) == 0 && status.st_nlink > 0) return true;
  close(std::exchange(held_, -1));
  return false;
}

void remove_temporary_paths() {
  const std::lock_guard lock(temporary_paths().mutex);
  std::error_code ignored;
  for (const fs::path& path : temporary_paths().paths) fs::remove_all(path, ignored);
}

AtomicFile::AtomicFile(fs::path final_path, Existing existing)
    : final_(existing == Existing::replace ? link_target(std::move(final_path)) : std::move(final_path)),
      temporary_(temporary_name(final_)),
      existing_(existing) {
  check_writable(final_, existing);
  remove_leftovers(final_);
  do {
    create_new(temporary(), final_);
  } while (!temporary_.hold());  // another process took it for a leftover
}

void AtomicFile::commit() {
  flush_to_disk(temporary());
  if (existing_ == Existing::refuse) return rename_without_replacing(temporary(), final_);
  if (std::rename(temporary().c_str(), final_.c_str()) != 0) fail_errno(ErrorKind::output, final_.string(), "rename");
}

fs::path claim_file(const fs::path& path) { return folder_of(path) / fmt::format(".{}{}", short_name(path), kClaim); }

std::shared_ptr<const NameClaim> NameClaim::take(const fs::path& file) {
  const fs::path claim = claim_file(file);
  while (true) {
    const int lock = open(claim.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (lock < 0) fail_errno(ErrorKind::output, file.string(), "claim the name");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(lock);
      return nullptr;
    }
    if (is_same_file(lock, claim)) return std::shared_ptr<const NameClaim>(new NameClaim(claim, lock));
    close(lock);
  }
}

NameClaim::Lock::~Lock() { close(file); }

std::shared_ptr<const NameClaim> claim_name(const fs::path& file, Existing existing) {
  auto claim = NameClaim::take(file);
  if (claim || existing == Existing::replace) return claim;
  fail(ErrorKind::output, fmt::format("{}: another run is making this file", file.string()),
       "use -o to name another file");
}

void publish_folder(const fs::path& made, const fs::path& folder, Existing existing) {
  std::error_code ignored;
  const bool replaces = existing == Existing::replace && fs::exists(folder, ignored) && !fs::is_empty(folder, ignored);
  if (replaces && renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) return;
  const TemporaryPath old(made.string() + ".old");  // on a file system that cannot exchange two names
  const bool free = !replaces || std::rename(folder.c_str(), old.path().c_str()) == 0;
  if (free && std::rename(made.c_str(), folder.c_str()) == 0) return;
  const int reason = errno;
  if (replaces && free) std::rename(old.path().c_str(), folder.c_str());
  errno = reason;
  fail_errno(ErrorKind::output, folder.string(), "rename");
}

void make_folders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && fs::is_directory(folder, error)) return;
  fail(ErrorKind::output, fmt::format("{}: cannot create this folder: {}", folder.string(), error.message()));
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

std::string read_text(std::istream& stream, const std::string& origin, const char* expected, size_t mebibytes,
                      ErrorKind kind) {
  std::string text;
  for (char block[1 << 16]; stream.read(block, sizeof(block)) || stream.gcount() > 0;) {
    text.append(block, static_cast<size_t>(stream.gcount()));
    if (text.size() > mebibytes << 20)
      fail(kind, fmt::format("{}: expected {}, got more than {} MiB", origin, expected, mebibytes));
  }
  if (!stream.eof()) fail_errno(kind, origin, "read");
  const auto decoded = text_of_file(std::move(text));
  if (!decoded) fail(kind, fmt::format("{}: damaged UTF-16", origin), "save it as UTF-8");
  // Latin letters in UTF-16 are half NUL bytes, in UTF-32 three quarters.
  if (4 * std::ranges::count(*decoded, '\0') > static_cast<int64_t>(decoded->size())) {
    fail(kind, fmt::format("{}: expected {} in UTF-8, got UTF-16, UTF-32 or no text at all", origin, expected),
         "save it as UTF-8");
  }
  return *decoded;
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
