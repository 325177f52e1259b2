#include "fuzz/runner.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

#include "fuzz/mutation.h"
#include "support/support.h"

// Of the leak sanitizer, where the program has one.
extern "C" int __lsan_do_recoverable_leak_check() __attribute__((weak));

namespace faststar::fuzz {
namespace {

constexpr unsigned kMaxSeconds = 10;
constexpr int64_t kInputsPerProcess = 5000;  // so that a leak is found near the inputs that made it

/// What the process that reads the inputs says about itself.
struct State {
  std::atomic<int64_t> current = 0;
  std::atomic<int64_t> accepted = 0;
};

/// Shared by this process and those that it starts.
State& shared_state() {
  static void* const page = mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  static State* const state = new (page) State;
  return *state;
}

int64_t peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

[[noreturn]] void end_with(const std::string& problem) {
  std::fprintf(stderr, "%s\n", problem.c_str());
  _exit(1);
}

class Run {
 public:
  Run(const Target& target, std::span<const std::string> samples, const Campaign& campaign)
      : target_(target), samples_(samples), campaign_(campaign) {}

  Outcome go() {
    state_.accepted = 0;
    while (outcome_.inputs < campaign_.inputs && elapsed() < campaign_.seconds) {
      const int64_t end = std::min(campaign_.inputs, outcome_.inputs + kInputsPerProcess);
      const int status = in_a_process([&] { read_inputs(outcome_.inputs, end); });
      outcome_.inputs = state_.current + 1;
      if (status != 0) keep_fault(status);
    }
    outcome_.accepted = state_.accepted;
    outcome_.seconds = elapsed();
    return outcome_;
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  template <typename Work>
  static int in_a_process(Work work) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("cannot start a process");
    if (child == 0) {
      work();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }

  void read_inputs(int64_t begin, int64_t end) {
    const int64_t before = peak_mebibytes();
    for (int64_t number = begin; number < end && elapsed() < campaign_.seconds; ++number) {
      state_.current = number;
      alarm(kMaxSeconds);
      try {
        state_.accepted += refusal(target_, mutate(samples_, campaign_.seed, number)) ? 0 : 1;
      } catch (const std::exception& error) {
        end_with(error.what());
      }
      alarm(0);
      const int64_t peak = peak_mebibytes();
      if (peak - before > target_.mebibytes) end_with(fmt::format("{}: {} MiB", target_.name, peak - before));
    }
    if (__lsan_do_recoverable_leak_check != nullptr && __lsan_do_recoverable_leak_check() != 0) {
      end_with(fmt::format("{}: one of inputs {} to {} leaks", target_.name, begin, state_.current.load()));
    }
  }

  void keep_fault(int status) {
    ++outcome_.faults;
    const int64_t number = state_.current;
    const auto file = campaign_.faults / fmt::format("{}-{}-{}", target_.name, campaign_.seed, number);
    test::write_text(file, mutate(samples_, campaign_.seed, number));
    const bool killed = WIFSIGNALED(status);
    const std::string how = killed && WTERMSIG(status) == SIGALRM ? fmt::format("took over {} s", kMaxSeconds)
                            : killed                              ? std::string(strsignal(WTERMSIG(status)))
                                                                  : "see above";
    std::fprintf(stderr, "%s: input %lld of seed %llu: %s; kept as %s\n", target_.name.c_str(),
                 static_cast<long long>(number), static_cast<unsigned long long>(campaign_.seed), how.c_str(),
                 file.c_str());
  }

  const Target& target_;
  std::span<const std::string> samples_;
  const Campaign& campaign_;
  State& state_ = shared_state();
  Outcome outcome_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

Outcome run(const Target& target, std::span<const std::string> samples, const Campaign& campaign) {
  return Run(target, samples, campaign).go();
}

}  // namespace faststar::fuzz
