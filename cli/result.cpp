#include "cli/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace faststar {

void print_result(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    fail(ErrorKind::output, fmt::format("stdout: cannot write: {}", std::strerror(errno)));
  }
}

void print_paths(const std::vector<std::filesystem::path>& paths) {
  std::string text;
  for (const auto& path : paths) text += path.string() + "\n";
  print_result(text);
}

}  // namespace faststar
