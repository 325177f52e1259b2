#include "cli/progress/process.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <thread>

#include "core/base/atomic_file.h"

namespace faststar {
namespace {

constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

std::atomic<int> first_signal = 0;
std::atomic<bool> in_two_stages = false;

bool is_ignored(int signal) {
  struct sigaction action = {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// A thread, not a handler: removing files is not allowed in a signal handler.
[[noreturn]] void watch(sigset_t signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    int expected = 0;
    if (first_signal.compare_exchange_strong(expected, signal) && in_two_stages) {
      std::fputs("\nstopping after this step; interrupt again to stop now\n", stderr);
      continue;
    }
    remove_temporary_paths();
    _exit(stop_exit_code());
  }
}

}  // namespace

void print_result(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) fail_errno(ErrorKind::output, "stdout", "write");
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

void handle_signals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(watch, signals).detach();
}

void stop_in_two_stages() { in_two_stages = true; }

bool stop_requested() { return first_signal != 0; }

int stop_exit_code() { return first_signal == SIGTERM || first_signal == SIGHUP ? 143 : 130; }

}  // namespace faststar
