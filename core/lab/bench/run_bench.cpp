#include "core/lab/bench/run_bench.h"

#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/base/device.h"
#include "core/base/log.h"
#include "core/lab/bench/machine.h"
#include "core/lab/study/measured_run.h"

namespace faststar {
namespace {

/// Shows many runs as one: stages keep their costs, details say which run it is.
class ManyRuns final : public Progress {
 public:
  ManyRuns(Progress& shown, const std::vector<BenchVariant>& variants, int rounds) : shown_(shown) {
    for (const BenchVariant& variant : variants) {
      for (const auto& [stage, cost] : variant.plan.costs) {
        if (stage != Stage::load) shown.plan(stage, rounds * cost);
      }
    }
  }
  void begin(std::string run) { run_ = std::move(run); }
  void plan(Stage, double) override {}
  void advance(Stage stage, double cost, std::string_view detail) override {
    shown_.advance(stage, cost, fmt::format("{}, {}", run_, detail));
  }
  bool stop_requested() const override { return shown_.stop_requested(); }

 private:
  Progress& shown_;
  std::string run_;
};

/// Drops the log lines of the code in its scope but for warnings.
class QuietRuns {
 public:
  QuietRuns() {
    before_ = log::set_sink([this](log::Level level, std::string_view line) {
      if (level == log::Level::warning) before_(level, line);
    });
  }
  ~QuietRuns() { log::set_sink(before_); }
  QuietRuns(const QuietRuns&) = delete;
  QuietRuns& operator=(const QuietRuns&) = delete;

 private:
  log::Sink before_;
};

void load_networks(Model& model, const Plan& plan, VariantRuns& result) {
  if (plan.memory.mode.residency == Residency::one_part) return;  // each loads when its turn comes
  const bool reads_files = !model.has_transformer() && !model.setup().model.random_weights;
  const auto start = BenchClock::now();
  model.transformer();
  model.vae(VaeParts::decoder);
  if (plan.memory.mode.residency == Residency::everything) model.text_encoder();
  synchronize(model.device());
  if (!reads_files || plan.memory.mode.residency != Residency::everything) return;
  result.loaded_bytes = plan.memory.weights;
  result.load_seconds = seconds_between(start, BenchClock::now());
}

BenchRun run_once(const Pipeline& pipeline, const Plan& plan, const GpuMonitor& monitor, Progress& progress) {
  synchronize(pipeline.device());
  reset_peak_host_bytes();
  const auto start = BenchClock::now();
  const RunResult made = run_plan(pipeline, plan, progress);
  const auto end = BenchClock::now();
  const auto seconds = [&](Stage stage) {
    const auto found = made.seconds.find(stage_name(stage));
    return found == made.seconds.end() ? 0 : found->second;
  };
  return {.text = seconds(Stage::text),
          .tokens = seconds(Stage::tokens),
          .decode = seconds(Stage::decode) - made.file_seconds,
          .file = made.file_seconds,
          .total = seconds_between(start, end),
          .steps = made.step_seconds,
          .peak_bytes = pipeline.device().is_cuda() ? made.peak_bytes : peak_host_bytes(),
          .use = monitor.between(start, end)};
}

/// The parts of every step of one more run, without its file.
std::vector<PartTimes> parts_of(const Pipeline& pipeline, const Plan& plan) {
  const c10::InferenceMode inference;
  GenerationSettings settings = plan.request.generation;
  settings.seed = static_cast<uint64_t>(plan.request.outputs.front().seed);
  const GenerationInput input{.text = pipeline.encode_text(plan.ids)};
  return time_parts(pipeline, plan.work.schedule, settings, input);
}

}  // namespace

double BenchRun::rest() const {
  return total - text - std::accumulate(steps.begin(), steps.end(), 0.0) - decode - file;
}

Samples VariantRuns::samples(const std::function<double(const BenchRun&)>& quantity) const {
  Samples samples;
  for (const BenchRun& run : runs) {
    if (!run.warm_up) samples.values.push_back(quantity(run));
  }
  return samples;
}

std::vector<VariantRuns> run_variants(Model& model, const std::vector<BenchVariant>& variants,
                                      const BenchCounts& counts, const GpuMonitor& monitor, Progress& progress) {
  const QuietRuns quiet;
  ProcessGroup& all = *model.setup().group;
  const auto takes_part = [&](const BenchVariant& variant) { return variant.group->size() > 1 || all.is_first(); };
  ManyRuns many(progress, variants, counts.warm_up + counts.runs);
  std::vector<Pipeline> pipelines;
  std::vector<VariantRuns> results(variants.size());
  for (size_t i = 0; i < variants.size(); ++i) {
    pipelines.emplace_back(model).set_kernels(variants[i].kernels);
    pipelines.back().set_group(variants[i].group);
    load_networks(model, variants[i].plan, results[i]);
  }
  for (int round = 0; round < counts.warm_up + counts.runs; ++round) {
    const bool warm_up = round < counts.warm_up;
    for (size_t turn = 0; turn < variants.size(); ++turn) {
      // Back and forth: no variant always runs on the heat of the same other one.
      const size_t i = round % 2 == 0 ? turn : variants.size() - 1 - turn;
      many.begin(fmt::format("{} {}", variants[i].name,
                             warm_up ? "warm-up" : fmt::format("{}/{}", round - counts.warm_up + 1, counts.runs)));
      BenchRun& run = results[i].runs.emplace_back();
      if (takes_part(variants[i])) run = run_once(pipelines[i], variants[i].plan, monitor, many);
      run.warm_up = warm_up;
      all.meet();
    }
  }
  for (size_t i = 0; i < variants.size(); ++i) {
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(variants[i].plan.request.outputs.front().file, unknown);
    results[i].file_bytes = unknown ? 0 : static_cast<int64_t>(bytes);
    if (takes_part(variants[i])) results[i].parts = parts_of(pipelines[i], variants[i].plan);
    all.meet();
  }
  return results;
}

}  // namespace faststar
