#include "core/base/log.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/base/utf8.h"

namespace faststar::log {
namespace {

void print_to_stderr(Level level, std::string_view line) {
  // Unlike fmt::print this does not throw: a closed stderr (`faststar ... 2>&1 | head`) must not end a run.
  std::fputs(line_text(level == Level::warning ? "warning" : "info", line).c_str(), stderr);
}

std::atomic<Format> current_format = Format::text;

std::mutex mutex;
Sink current_sink = print_to_stderr;
std::atomic<bool> is_quiet = false;
std::mutex words_mutex;                      // a sink that waits for the terminal must not keep the program from ending
std::string& last_words = *new std::string;  // the thread that ends the program may still need it

}  // namespace

std::string shown(std::string_view message) {
  std::string line = printable(message.substr(0, kMaxMessageBytes));
  if (message.size() <= kMaxMessageBytes && line.size() <= kMaxMessageBytes) return line;
  line.resize(std::min(line.size(), kMaxMessageBytes));
  while (find_invalid_utf8(line)) line.pop_back();  // half a character at the cut
  return line + "...";
}

void set_format(Format format) { current_format = format; }

std::string line_text(std::string_view level, std::string_view message, std::string_view hint) {
  if (current_format == Format::json) {
    nlohmann::ordered_json json = {{"level", level}, {"message", message}};
    if (!hint.empty()) json["hint"] = hint;
    return json_text(json) + "\n";
  }
  std::string text = level == "info" ? "" : fmt::format("{}: ", level);
  text += fmt::format("{}\n", message);
  return hint.empty() ? text : text + fmt::format("hint: {}\n", hint);
}

Sink set_sink(Sink sink) {
  const std::lock_guard lock(mutex);
  return std::exchange(current_sink, std::move(sink));
}

void set_quiet(bool quiet) { is_quiet = quiet; }

void set_parting_words(std::string line) {
  const std::lock_guard lock(words_mutex);
  last_words = std::move(line);
}

std::string parting_words() {
  const std::lock_guard lock(words_mutex);
  return last_words;
}

void write(Level level, std::string_view line) {
  if (level == Level::info && is_quiet) return;
  const std::lock_guard lock(mutex);
  current_sink(level, shown(line));
}

}  // namespace faststar::log
