#include "core/pipeline/batch/manifest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/pipeline/batch/manifest_line.h"

namespace faststar {
namespace {

[[noreturn]] void fail_write(const std::filesystem::path& path) {
  fail(ErrorKind::output, fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
}

/// The manifest opened by one writer at a time.
class Appender {
 public:
  explicit Appender(const std::filesystem::path& path)
      : path_(path), file_(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail_write(path_);
    while (flock(file_, LOCK_EX) != 0) {
      if (errno != EINTR) fail_and_close();
    }
  }
  ~Appender() { close(file_); }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  /// All of `line` on the disk, or none of it.
  void append(const std::string& line) {
    const ssize_t written = write(file_, line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size()) && fsync(file_) == 0) return;
    const int error = written < 0 ? errno : ENOSPC;
    cut_torn_line(path_);
    errno = error;
    fail_write(path_);
  }

 private:
  [[noreturn]] void fail_and_close() {
    const int error = errno;
    close(file_);
    errno = error;
    fail_write(path_);
  }

  const std::filesystem::path& path_;
  int file_;
};

}  // namespace

Manifest::Manifest(std::filesystem::path path) : path_(std::move(path)) { refresh(); }

void Manifest::refresh() {
  std::ifstream stream(path_, std::ios::binary);
  if (!stream) return;  // not begun yet
  stream.seekg(offset_);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    offset_ += static_cast<int64_t>(line.size()) + 1;
    ++lines_;
    auto record = parse_line(line);
    if (!record) {
      fail(ErrorKind::input,
           fmt::format("{}:{}: expected a line that faststar batch wrote, got something else", path_.string(), lines_),
           "remove the line: what it recorded is made again");
    }
    ItemState& item = items_[record->file];
    item.failures += record->finished ? 0 : 1;
    item.line = lines_;
    item.last = std::move(*record);
  }
}

void Manifest::append(const ManifestRecord& record) {
  Appender file(path_);
  cut_torn_line(path_);  // a line without its end was never acknowledged: its item counts as not made
  file.append(to_line(record));
}

const ItemState* Manifest::find(const std::string& file) const {
  const auto found = items_.find(file);
  return found == items_.end() ? nullptr : &found->second;
}

}  // namespace faststar
