#include "core/lab/train/phase_loop.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/error.h"

namespace faststar {
namespace {

using Clock = std::chrono::steady_clock;

/// Warm-up steps when the moments start from zero in the middle of a phase.
constexpr double kRestartWarmup = 60;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Means over the steps since the last log entry; sums stay on the device, so that a step waits for nothing.
class RunningMeans {
 public:
  void add(const Tensor& statistics, const Tensor& norm) {
    const c10::NoGradGuard no_grad;
    const Tensor joined = at::cat({statistics, norm.view({1})});
    if (count_++ == 0) {
      sum_ = joined.clone();
    } else {
      sum_.add_(joined);
    }
  }
  /// Statistics, then the gradient's norm. Waits for the device.
  std::vector<double> take() {
    const Tensor mean = (sum_ / static_cast<double>(count_)).to(at::kCPU, at::kDouble);
    count_ = 0;
    return {mean.const_data_ptr<double>(), mean.const_data_ptr<double>() + mean.numel()};
  }

 private:
  Tensor sum_;
  int64_t count_ = 0;
};

/// Measures training time, without logging, saving and sampling.
class TrainingClock {
 public:
  explicit TrainingClock(at::Device device) : device_(device) {}
  void start() { start_ = Clock::now(); }
  /// Seconds since start(), the device's queue included.
  double stop() const {
    synchronize(device_);
    return seconds_since(start_);
  }

 private:
  at::Device device_;
  Clock::time_point start_ = Clock::now();
};

LogEntry make_entry(const PhaseTask& task, const NetworkState& state, const std::vector<double>& means) {
  LogEntry entry{.phase = task.name, .step = state.steps_done, .steps = task.steps, .seconds = state.seconds};
  for (size_t i = 0; i < task.statistics.size(); ++i) entry.statistics.emplace_back(task.statistics[i], means[i]);
  entry.gradient_norm = means.back();
  return entry;
}

void check_finite(const LogEntry& entry, int64_t saved_step) {
  const bool finite =
      std::isfinite(entry.gradient_norm) && std::all_of(entry.statistics.begin(), entry.statistics.end(),
                                                        [](const auto& named) { return std::isfinite(named.second); });
  if (finite) return;
  fail(ErrorKind::model,
       fmt::format("{}: the loss is not finite at step {}; the state of step {} is kept", entry.phase, entry.step,
                   saved_step),
       "lower learning_rate or raise warmup");
}

}  // namespace

Tensor uniform_tensor(CounterRandom random, at::IntArrayRef shape) {
  Tensor numbers = at::empty(shape, at::kFloat);
  auto* const out = numbers.mutable_data_ptr<float>();
  for (int64_t i = 0; i < numbers.numel(); ++i) out[i] = static_cast<float>(random.uniform());
  return numbers;
}

bool StopRule::reached() const {
  return workers.agree(Clock::now() >= deadline || (progress && progress->stop_requested()));
}

PhaseEnd run_phase(const PhaseTask& task, const Optimizer& optimizer, const Tensor& gradient, NetworkState& state,
                   const LoopSettings& settings, const StopRule& stop, TrainLog& log, Progress& progress) {
  RunningMeans means;
  TrainingClock clock(gradient.device());
  int64_t logged_at = state.steps_done;
  int64_t saved_step = state.steps_done;
  Clock::time_point saved_at = Clock::now();
  clock.start();
  while (state.steps_done < task.steps) {
    const int64_t step = state.steps_done;
    const Tensor& statistics = task.gradient(step);
    const double ramp = state.optimizer.updates < step
                            ? std::min(1.0, static_cast<double>(state.optimizer.updates) / kRestartWarmup)
                            : 1.0;
    const double rate = ramp * task.learning_rate.at(step, task.steps);
    means.add(statistics, optimizer.update(state.optimizer, gradient, rate, step));
    ++state.steps_done;
    progress.advance(Stage::train, 1, fmt::format("{} {}/{}", task.name, state.steps_done, task.steps));
    const bool due = state.steps_done % settings.log_every == 0;
    const bool last = state.steps_done == task.steps || ((due || stop.is_cheap()) && stop.reached());
    const bool samples = state.steps_done % settings.sample_every == 0 || state.steps_done == task.steps;
    if (!due && !last && !samples) continue;

    const double seconds = clock.stop();
    state.seconds += seconds;
    LogEntry entry = make_entry(task, state, means.take());
    entry.processes = stop.workers.size();
    entry.learning_rate = rate;
    entry.ms_per_step = 1e3 * seconds / static_cast<double>(state.steps_done - logged_at);
    logged_at = state.steps_done;
    log.write(entry);
    check_finite(entry, saved_step);
    stop.workers.expect_equal(state.optimizer.weights);
    if (samples && task.sample) task.sample(state.steps_done);
    if (last || seconds_since(saved_at) > settings.save_every) {
      settings.save(state);
      saved_at = Clock::now();
      saved_step = state.steps_done;
    }
    if (last) break;
    clock.start();
  }
  return state.steps_done >= task.steps ? PhaseEnd::finished : PhaseEnd::stopped;
}

}  // namespace faststar
