#include "core/lab/study/measured_run.h"

#include <ATen/ATen.h>

#include <chrono>
#include <functional>

#include "core/base/device.h"
#include "core/model/reduce/selection.h"
#include "core/model/star/guidance_reuse.h"

namespace faststar {
namespace {

/// Above half of Nyquist, in cycles per sample.
constexpr double kHighFrequency = 0.25;

/// Times passes on the host, waiting for the device.
class PassClock {
 public:
  explicit PassClock(at::Device device) : device_(device) {
    synchronize(device_);
    last_ = std::chrono::steady_clock::now();
  }

  /// Milliseconds since the last lap, without pauses.
  double lap() {
    synchronize(device_);
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }

  template <typename Work>
  void pause(Work&& work) {
    synchronize(device_);
    const auto start = std::chrono::steady_clock::now();
    work();
    last_ += std::chrono::steady_clock::now() - start;
  }

 private:
  at::Device device_;
  std::chrono::steady_clock::time_point last_;
};

std::optional<double> mean_of(const Tensor& map) {
  if (!map.defined()) return std::nullopt;
  return map.mean().item<double>();
}

/// The positions [T, H, W] that no kept token covers.
Tensor pruned_positions(const ReducedStep& step) {
  const Scale& scale = step.scale;
  const Scale full = {scale.t, static_cast<int>(step.input.size(3)), static_cast<int>(step.input.size(4))};
  Tensor kept = at::zeros({scale.tokens()}, step.plan.kept.options().dtype(at::kByte));
  kept.index_fill_(0, step.plan.kept, 1);
  return spread_tokens(kept.view({scale.t, scale.h, scale.w}), full).eq(0);
}

/// Records the measurements of a run.
class RunRecorder final : public GenerationObserver {
 public:
  RunRecorder(at::Device device, const Schedule& schedule, const GenerationSettings& settings,
              const GenerationInput& input, Spectrum spectrum)
      : spectrum_(spectrum),
        gate_(settings.reduction, schedule, settings.repetitions),
        rows_(settings.guidance, schedule),
        clock_(device) {
    const auto steps = schedule.steps(settings.repetitions);
    run_.step_ms.assign(steps.size(), 0);
    run_.bits = input.given_bits;
    for (const Step& step : steps) {
      passes_.push_back({step, schedule.scales()[static_cast<size_t>(step.scale)].tokens(), gate_.kept_tokens(step)});
    }
  }

  MeasuredRun finish(Tensor codes) {
    run_.codes = std::move(codes);
    PassTotals totals;
    for (const Pass& pass : passes_) totals.add(rows_, pass.step, pass.tokens, pass.kept);
    run_.tokens = totals.tokens;
    run_.kept = totals.kept;
    run_.guidance = {totals.one_row_passes, totals.one_row_tokens, totals.work()};
    return std::move(run_);
  }

  void on_begin() override { clock_.lap(); }
  Tensor on_bits(const StepResult& result) override {
    run_.bits.push_back(result.bits);
    return result.bits;
  }
  void on_reduced_step(const ReducedStep& step) override {
    clock_.pause([&] { run_.passes.push_back(describe(step)); });
  }
  void on_step(const Step& step, const std::vector<Tensor>& clips) override {
    run_.step_ms[static_cast<size_t>(step.index)] = clock_.lap();
    if (spectrum_ == Spectrum::measure && step.last_repetition) {
      clock_.pause([&] { run_.high_frequency.push_back(high_frequency_share(clips.back())); });
    }
  }

 private:
  struct Pass {
    Step step;
    int64_t tokens = 0;
    int64_t kept = 0;
  };

  ReducedPassRecord describe(const ReducedStep& step) {
    ReducedPassRecord record{.scale = step.step.scale,
                             .repetition = step.step.repetition,
                             .tokens = step.scale.tokens(),
                             .kept = gate_.kept_tokens(step.step),
                             .spatial = mean_of(step.plan.evidence.similarity.spatial),
                             .temporal = mean_of(step.plan.evidence.similarity.temporal),
                             .pruned_again = {}};
    if (!step.plan.kept.defined()) return record;
    record.kept = step.plan.kept.size(0);  // some methods choose the number themselves
    passes_[static_cast<size_t>(step.step.index)].kept = record.kept;
    const Tensor pruned = pruned_positions(step);
    const bool comparable = pruned_before_.defined() && pruned_before_.sizes() == pruned.sizes();
    if (comparable && pruned_before_.any().item<bool>()) {
      record.pruned_again = pruned.masked_select(pruned_before_).to(at::kDouble).mean().item<double>();
    }
    pruned_before_ = pruned;
    return record;
  }

  Spectrum spectrum_;
  ReductionGate gate_;
  GuidanceRows rows_;
  std::vector<Pass> passes_;
  PassClock clock_;
  MeasuredRun run_;
  Tensor pruned_before_;
};

/// Measures the parts of every step.
class PartsByStep final : public GenerationObserver {
 public:
  PartsByStep(at::Device device, size_t steps) : timer_(device), by_step_(steps) {}
  void on_begin() override { timer_.lap(); }
  void on_step(const Step& step, const std::vector<Tensor>&) override {
    by_step_[static_cast<size_t>(step.index)] = timer_.lap();
  }
  const std::vector<PartTimes>& by_step() const { return by_step_; }

 private:
  PartTimer timer_;
  std::vector<PartTimes> by_step_;
};

/// Counts bits that differ from those of another run and goes on with that run's.
class FlipCounter final : public GenerationObserver {
 public:
  FlipCounter(const std::vector<Tensor>& bits) : bits_(bits), shares_(bits.size(), 0) {}
  Tensor on_bits(const StepResult& result) override {
    const auto step = static_cast<size_t>(result.step.index);
    shares_[step] = result.bits.ne(bits_[step]).to(at::kDouble).mean().item<double>();
    return bits_[step];
  }
  const std::vector<double>& shares() const { return shares_; }

 private:
  const std::vector<Tensor>& bits_;
  std::vector<double> shares_;
};

}  // namespace

MeasuredRun measure_run(const Pipeline& pipeline, const Schedule& schedule, const GenerationSettings& settings,
                        const GenerationInput& input, Spectrum spectrum) {
  RunRecorder recorder(pipeline.device(), schedule, settings, input, spectrum);
  return recorder.finish(pipeline.generate(schedule, settings, input, &recorder));
}

std::vector<PartTimes> time_parts(const Pipeline& pipeline, const Schedule& schedule,
                                  const GenerationSettings& settings, const GenerationInput& input) {
  PartsByStep parts(pipeline.device(), schedule.steps(settings.repetitions).size());
  pipeline.generate(schedule, settings, input, &parts);
  return parts.by_step();
}

std::vector<double> flipped_bits(const Pipeline& pipeline, const Schedule& schedule, const GenerationSettings& settings,
                                 const GenerationInput& input, const std::vector<Tensor>& bits) {
  FlipCounter counter(bits);
  pipeline.generate(schedule, settings, input, &counter);
  return counter.shares();
}

size_t shared_steps(const GenerationSettings& settings, const Schedule& schedule) {
  const ReductionGate gate(settings.reduction, schedule, settings.repetitions);
  const GuidanceRows rows(settings.guidance, schedule);
  const auto steps = schedule.steps(settings.repetitions);
  const auto first =
      std::ranges::find_if(steps, [&](const Step& step) { return gate.reduces(step) || rows.reuses(step); });
  const int needed = first == steps.end() ? static_cast<int>(schedule.scales().size()) : first->scale - 1;
  const auto computed = std::ranges::find_if(steps, [&](const Step& step) { return step.scale >= needed; });
  return static_cast<size_t>(computed - steps.begin());
}

double high_frequency_share(const Tensor& map) {
  const Tensor values = map.cpu().to(at::kFloat);
  const Tensor energy = at::fft_fft2(values).abs().square().sum({0, 1, 2});  // [H, W]
  energy[0][0].zero_();
  const Tensor rows = at::fft_fftfreq(values.size(3), 1.0).abs().gt(kHighFrequency).unsqueeze(1);
  const Tensor columns = at::fft_fftfreq(values.size(4), 1.0).abs().gt(kHighFrequency).unsqueeze(0);
  const double all = energy.sum().item<double>();
  return all > 0 ? at::where(rows.logical_or(columns), energy, 0.0).sum().item<double>() / all : 0;
}

}  // namespace faststar
