#include "cli/train_workers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <set>
#include <thread>

#include "cli/progress/report_error.h"
#include "cli/progress/signals.h"
#include "cli/worker_group.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/train/workers.h"

namespace faststar {
namespace {

constexpr std::string_view kError = "error: ";
constexpr std::string_view kHint = "hint: ";

ErrorKind kind_of(int code) {
  for (const ErrorKind kind :
       {ErrorKind::usage, ErrorKind::input, ErrorKind::model, ErrorKind::device, ErrorKind::output}) {
    if (exit_code(kind) == code) return kind;
  }
  return ErrorKind::internal;
}

/// What a process said was wrong, before it ended.
struct Complaint {
  std::string error;
  std::string hint;
};

class TrainingProcesses {
 public:
  TrainingProcesses(std::vector<Worker> workers, ProgressStyle style)
      : workers_(std::move(workers)), complaints_(workers_.size()), progress_(style, Stage::train) {}

  /// Until the last one has ended. Throws the first failure.
  void watch() {
    watch_workers(workers_, {.on_message = [this](Worker& worker, const std::string& line) { hear(worker, line); },
                             .on_end = [this](Worker& worker) { bury(worker); }});
    if (failure_) throw *failure_;
  }

 private:
  void hear(const Worker& worker, const std::string& line) {
    Complaint& complaint = complaints_[number_of(worker)];
    if (line.starts_with(kError)) {
      complaint.error = line.substr(kError.size());
    } else if (line.starts_with(kHint)) {
      complaint.hint = line.substr(kHint.size());
    } else if (&worker == &workers_.front() && !progress_.take(worker.device, line)) {
      log::info("{}", line);
    }
  }

  /// The first failure is the cause; the other processes wait for that one for ever.
  void bury(Worker& worker) {
    const int code = worker.process->exit_code();
    constexpr int kSignalled = 128;
    const bool stopped = stop_requested() && code > kSignalled;
    if (code == 0 || failure_ || stopped) return;
    const Complaint& complaint = complaints_[number_of(worker)];
    const std::string what = complaint.error.empty() ? fmt::format("ended with exit code {}", code) : complaint.error;
    const std::string next = complaint.hint.empty() ? "the same command goes on from what was saved" : complaint.hint;
    failure_.emplace(
        kind_of(code),
        fmt::format("{}, process {} of {}: {}", worker.device, number_of(worker) + 1, workers_.size(), what), next);
    end_all();
  }

  /// The first signal asks a process to end after its step, which never ends now; the second one ends it.
  void end_all() const {
    for (int signals = 0; signals < 2; ++signals) {
      for (const Worker& worker : workers_) worker.process->send(SIGTERM);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }

  size_t number_of(const Worker& worker) const { return static_cast<size_t>(&worker - workers_.data()); }

  std::vector<Worker> workers_;
  std::vector<Complaint> complaints_;
  JointProgress progress_;
  std::optional<Error> failure_;
};

/// GPUs add up among themselves, CPUs through a store.
void check_devices(const std::vector<std::string>& devices) {
  const std::set<std::string> different(devices.begin(), devices.end());
  const bool only_cpu = different == std::set<std::string>{"cpu"};
  if (only_cpu || (!different.contains("cpu") && different.size() == devices.size())) return;
  fail(ErrorKind::usage,
       fmt::format("--devices: expected different GPUs, or cpu alone, got {}", fmt::join(devices, ",")),
       "--devices 0,1");
}

}  // namespace

int run_train_workers(const std::vector<std::string>& arguments, const std::vector<std::string>& devices,
                      ProgressStyle style) {
  check_devices(devices);
  stop_in_two_stages();
  unsetenv("FASTSTAR_PROGRESS");
  setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*replace=*/0);  // its warnings come with a backtrace
  share_cores(devices.size());
  const Rendezvous rendezvous;
  std::vector<Worker> workers;
  for (size_t i = 0; i < devices.size(); ++i) {
    std::vector<std::string> words = arguments;
    for (const std::string& word :
         {fmt::format("--device={}", devices[i]), std::string("--progress=json"),
          fmt::format("--worker={}/{}", i + 1, devices.size()), fmt::format("--rendezvous={}", rendezvous.port())}) {
      words.push_back(word);
    }
    const WorkerOutput output = i == 0 ? WorkerOutput::shared : WorkerOutput::dropped;
    workers.push_back({devices[i], std::make_unique<WorkerProcess>(words, output)});
  }
  TrainingProcesses(std::move(workers), style).watch();
  return stop_requested() ? stop_exit_code() : 0;
}

}  // namespace faststar
