#include "cli/progress/report_error.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

#include "cli/progress/signals.h"
#include "core/base/atomic_file.h"

namespace faststar {
namespace {

constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

}  // namespace

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
