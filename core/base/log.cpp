#include "core/base/log.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>

#include "core/base/utf8.h"

namespace faststar::log {
namespace {

void print_to_stderr(Level level, std::string_view line) {
  // Unlike fmt::print this does not throw: a closed stderr (`faststar ... 2>&1 | head`) must not end a run.
  std::fputs(fmt::format("{}{}\n", level == Level::warning ? "warning: " : "", line).c_str(), stderr);
}

std::mutex mutex;
Sink current_sink = print_to_stderr;
std::atomic<bool> is_quiet = false;

}  // namespace

std::string shown(std::string_view message) {
  std::string line = printable(message.substr(0, kMaxMessageBytes));
  if (message.size() <= kMaxMessageBytes && line.size() <= kMaxMessageBytes) return line;
  line.resize(std::min(line.size(), kMaxMessageBytes));
  while (find_invalid_utf8(line)) line.pop_back();  // half a character at the cut
  return line + "...";
}

Sink set_sink(Sink sink) {
  const std::lock_guard lock(mutex);
  return std::exchange(current_sink, std::move(sink));
}

void set_quiet(bool quiet) { is_quiet = quiet; }

void write(Level level, std::string_view line) {
  if (level == Level::info && is_quiet) return;
  const std::lock_guard lock(mutex);
  current_sink(level, shown(line));
}

}  // namespace faststar::log
