#include "core/pipeline/batch/entry_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace faststar {

LineCutter::Line LineCutter::cut() {
  Line line{.text = std::exchange(begun_, {}), .too_long = std::exchange(too_long_, false)};
  if (line.text.ends_with('\r')) line.text.pop_back();
  if (line.too_long) line.text.clear();
  return line;
}

std::vector<LineCutter::Line> LineCutter::add(std::string_view bytes) {
  std::vector<Line> lines;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    too_long_ = too_long_ || begun_.size() + part.size() > limit_;
    if (too_long_) {
      begun_.clear();
    } else {
      begun_ += part;
    }
    if (end == std::string_view::npos) break;
    lines.push_back(cut());
    bytes.remove_prefix(end + 1);
  }
  return lines;
}

std::vector<LineCutter::Line> LineCutter::rest() {
  if (begun_.empty() && !too_long_) return {};
  return {cut()};
}

EntryStream::EntryStream(int file, std::string name, const ItemRules& rules)
    : file_(file), wake_(eventfd(0, EFD_CLOEXEC)), name_(std::move(name)), rules_(rules) {
  if (wake_ < 0) fail_errno(ErrorKind::internal, name_, "wait for it");
  reader_ = std::thread([this] { read_all(); });
}

EntryStream::~EntryStream() {
  eventfd_write(wake_, 1);
  reader_.join();
  close(wake_);
}

/// False when the reader shall end.
bool EntryStream::wait_for_bytes() const {
  std::array<pollfd, 2> files = {{{.fd = file_, .events = POLLIN, .revents = 0},  //
                                  {.fd = wake_, .events = POLLIN, .revents = 0}}};
  while (poll(files.data(), files.size(), /*timeout=*/-1) < 0) {
    if (errno != EINTR) break;
  }
  return files[1].revents == 0;
}

void EntryStream::read_all() {
  LineCutter cutter(kMaxLineBytes);
  std::array<char, 65536> block;
  while (wait_for_bytes()) {
    const ssize_t size = read(file_, block.data(), block.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size > 0) {
      pass_on(cutter.add({block.data(), static_cast<size_t>(size)}), /*last=*/false);
      continue;
    }
    if (size < 0) error_ = errno;
    return pass_on(cutter.rest(), /*last=*/true);
  }
}

void EntryStream::pass_on(std::vector<LineCutter::Line> lines, bool last) {
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(lines, std::back_inserter(waiting_));
    ended_ = last;
  }
  came_.notify_one();
}

std::vector<BatchItem> EntryStream::take(std::chrono::milliseconds patience) {
  std::deque<LineCutter::Line> lines;
  {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, patience, [this] { return ended_ || !waiting_.empty(); });
    lines.swap(waiting_);
  }
  std::vector<BatchItem> items;
  for (LineCutter::Line& line : lines) std::ranges::move(items_of(std::move(line)), std::back_inserter(items));
  return items;
}

std::vector<BatchItem> EntryStream::items_of(LineCutter::Line line) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  const std::string origin = fmt::format("{}:{}", name_, ++lines_);
  if (lines_ == 1 && line.text.starts_with(kByteOrderMark)) line.text.erase(0, kByteOrderMark.size());
  if (line.too_long) {
    const PromptEntry entry{.origin = origin,
                            .problem = fmt::format("expected at most {} bytes in a line, got more", kMaxLineBytes)};
    return entry_items(entry, entries_++, rules_);
  }
  if (is_blank_text(line.text)) return {};
  return entry_items(read_entry_line(line.text, origin, ""), entries_++, rules_);
}

bool EntryStream::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_ && waiting_.empty();
}

void EntryStream::check() const {
  const std::lock_guard lock(mutex_);
  if (error_ == 0) return;
  errno = error_;
  fail_errno(ErrorKind::input, name_, "read");
}

}  // namespace faststar
