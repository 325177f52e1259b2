#include "cli/progress/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"

namespace faststar {

void print_result(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    fail(ErrorKind::output, fmt::format("stdout: cannot write: {}", std::strerror(errno)));
  }
}

void print_path(const std::filesystem::path& path) { print_result(path.string() + "\n"); }

}  // namespace faststar
