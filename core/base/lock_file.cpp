#include "core/base/lock_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace faststar {
namespace {

int64_t byte_of(std::string_view name) { return static_cast<int64_t>(fnv1a(name) >> 2); }

/// Open file description locks belong to this opening of the file; POSIX locks belong to the process.
int set_lock(int file, int command, short type, int64_t byte) {
  struct flock range = {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  int result = 0;
  do {
    result = fcntl(file, command, &range);
  } while (result != 0 && errno == EINTR);
  return result;
}

[[noreturn]] void fail_lock(const std::filesystem::path& path) {
  fail_errno(ErrorKind::output, path.string(), "lock", "the folder must be on a file system that supports locks");
}

}  // namespace

LockFile::LockFile(const std::filesystem::path& path)
    : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)), path_(path) {
  if (file_ < 0) fail_errno(ErrorKind::output, path.string(), "write");
}

LockFile::~LockFile() { close(file_); }

LockFile::Held::~Held() {
  if (file_ >= 0) set_lock(file_, F_OFD_SETLK, F_UNLCK, byte_);
}

std::optional<LockFile::Held> LockFile::try_lock(std::string_view name) {
  if (set_lock(file_, F_OFD_SETLK, F_WRLCK, byte_of(name)) == 0)
    return std::optional<Held>(std::in_place, file_, byte_of(name));
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  fail_lock(path_);
}

LockFile::Held LockFile::lock(std::string_view name) {
  if (set_lock(file_, F_OFD_SETLKW, F_WRLCK, byte_of(name)) != 0) fail_lock(path_);
  return {file_, byte_of(name)};
}

}  // namespace faststar
