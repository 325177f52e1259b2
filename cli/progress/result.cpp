#include "cli/progress/result.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "cli/progress/signals.h"
#include "core/base/atomic_file.h"

namespace faststar {
namespace {

constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

}  // namespace

void print_result(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    fail(ErrorKind::output, fmt::format("stdout: cannot write: {}", std::strerror(errno)));
  }
}

void print_path(const std::filesystem::path& path) { print_result(path.string() + "\n"); }

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return 2;
    case ErrorKind::input: return 3;
    case ErrorKind::model: return 4;
    case ErrorKind::device:
    case ErrorKind::device_lost: return 5;
    case ErrorKind::output: return 6;
    case ErrorKind::interrupted: return stop_exit_code();
    case ErrorKind::internal: return kBug;
  }
  return kBug;
}

int report_current_error() {
  const Error error = current_error();
  std::string text = fmt::format("error: {}\n", error.what());
  if (!error.hint().empty()) text += fmt::format("hint: {}\n", error.hint());
  std::fputs(text.c_str(), stderr);
  return exit_code(error.kind());
}

void report_uncaught_errors() {
  std::set_terminate([] {
    if (std::current_exception()) {
      report_current_error();
    } else {
      std::fputs("error: terminated\n", stderr);
    }
    remove_temporary_paths();
    _exit(kBug);
  });
}

}  // namespace faststar
