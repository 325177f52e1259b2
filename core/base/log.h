#pragma once
#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

/// Lines for people, on stderr. stdout belongs to results.
namespace faststar::log {

enum class Level { info, warning };

/// Receives every line; the default prints to stderr. Tests install one that fails on a warning.
using Sink = std::function<void(Level, std::string_view line)>;

/// Replaces the sink and returns the one before.
Sink set_sink(Sink sink);

/// Drops `info` lines (`--quiet`); warnings still show.
void set_quiet(bool quiet);

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
