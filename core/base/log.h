#pragma once
#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

/// Lines for people, on stderr. stdout belongs to results.
namespace faststar::log {

/// Longest message in bytes. The longest prompt that a model reads fits; what a file says must not fill the screen.
inline constexpr size_t kMaxMessageBytes = 4096;

/// A message as it is shown, whatever files and prompts say in it: one line, printable(), at most kMaxMessageBytes.
std::string shown(std::string_view message);

enum class Level { info, warning };

/// How lines are written: for people, or for programs as {"level","message","hint"?}, an object a line.
enum class Format { text, json };
void set_format(Format format);

/// A message as a line in that format, with its end. `level`: "error", "warning" or "info".
std::string line_text(std::string_view level, std::string_view message, std::string_view hint = "");

/// Receives every line; the default prints to stderr. Tests install one that fails on a warning.
using Sink = std::function<void(Level, std::string_view line)>;

/// Replaces the sink and returns the one before.
Sink set_sink(Sink sink);

/// Drops `info` lines (`--quiet`); warnings still show.
void set_quiet(bool quiet);

/// What a run that is ended at once still says on stderr: where its work is. Empty: nothing.
void set_parting_words(std::string line);
std::string parting_words();

/// Hands shown(line) to the sink.
void write(Level level, std::string_view line);

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace faststar::log
