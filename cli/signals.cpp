#include "cli/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "core/temporary_path.h"

namespace faststar {
namespace {

std::atomic<int> first_signal = 0;

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
    if (first_signal.compare_exchange_strong(expected, signal)) {
      std::fputs("\nstopping after this step; once more stops now\n", stderr);
      continue;
    }
    remove_temporary_paths();
    _exit(stop_exit_code());
  }
}

}  // namespace

void handle_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(watch, signals).detach();
}

bool stop_requested() { return first_signal != 0; }

int stop_exit_code() { return first_signal == SIGTERM || first_signal == SIGHUP ? 143 : 130; }

}  // namespace faststar
