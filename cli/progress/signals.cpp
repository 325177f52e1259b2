#include "cli/progress/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "core/base/atomic_file.h"

namespace faststar {
namespace {

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

void let_writes_fail() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}

void handle_stop_signals() {
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
