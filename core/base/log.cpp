#include "core/base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>

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

Sink set_sink(Sink sink) {
  const std::lock_guard lock(mutex);
  return std::exchange(current_sink, std::move(sink));
}

void set_quiet(bool quiet) { is_quiet = quiet; }

void write(Level level, std::string_view line) {
  if (level == Level::info && is_quiet) return;
  const std::lock_guard lock(mutex);
  current_sink(level, line);
}

}  // namespace faststar::log
