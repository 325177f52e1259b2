#include "core/lab/bench/rate_fit.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/bench/media_bench.h"
#include "core/lab/bench/samples.h"
#include "core/pipeline/time_estimate.h"

namespace faststar {
namespace {

/// A pass of a variant.
struct MeasuredPass {
  const Workload& work;
  Step step;
  double seconds = 0;  ///< the median of all counted runs
  PartTimes parts;

  double rows() const { return static_cast<double>(work.guidance_rows.of(step) * tokens_of(work, step)); }
};

std::vector<MeasuredPass> passes_of(const std::vector<MeasuredVariant>& variants) {
  std::vector<MeasuredPass> passes;
  for (const auto& [work, runs] : variants) {
    for (const Step& step : steps_to_run(work)) {
      if (tokens_of(work, step) == 0) continue;
      const auto index = static_cast<size_t>(step.index);
      const double seconds = runs.samples([&](const BenchRun& run) { return run.steps.at(index); }).median();
      passes.push_back({work, step, seconds, runs.parts.at(index)});
    }
  }
  return passes;
}

/// FLOP/s of one part of the passes that `chosen` takes; nothing without such passes.
std::optional<double> flops_of(const std::vector<MeasuredPass>& passes, PassPart part,
                               double (*flops)(const Workload&, const Step&),
                               const std::function<bool(const MeasuredPass&)>& chosen) {
  double largest = 0;
  for (const MeasuredPass& pass : passes) {
    if (chosen(pass)) largest = std::max(largest, flops(pass.work, pass.step));
  }
  double flop = 0, milliseconds = 0;
  for (const MeasuredPass& pass : passes) {
    const double own = flops(pass.work, pass.step);
    if (!chosen(pass) || own < 0.1 * largest) continue;
    flop += own;
    milliseconds += pass.parts[part];
  }
  return milliseconds > 0 ? std::optional(flop / milliseconds * 1e3) : std::nullopt;
}

/// Estimated seconds of a pass with these rates.
double estimated(const MeasuredPass& pass, const Rates& rates) {
  Workload work = pass.work;
  work.measured = rates;
  work.warm = true;
  return step_seconds(work, pass.step);
}

/// The median of the passes that take more than twice what products and attention explain; else the shortest pass.
double shortest_pass(const std::vector<MeasuredPass>& passes, Rates rates) {
  rates.pass = rates.row = 0;
  Samples bound, all;
  for (const MeasuredPass& pass : passes) {
    all.values.push_back(pass.seconds);
    if (pass.seconds > 2 * estimated(pass, rates)) bound.values.push_back(pass.seconds);
  }
  return bound.values.empty() ? all.min() : bound.median();
}

/// By halving: the estimated sum grows with it.
double seconds_of_row(const std::vector<MeasuredPass>& passes, Rates rates) {
  double measured = 0, rows = 0;
  for (const MeasuredPass& pass : passes) {
    measured += pass.seconds;
    rows += pass.rows();
  }
  double least = 0, most = measured / rows;
  constexpr int kHalvings = 40;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (least + most) / 2;
    rates.row = middle;
    double sum = 0;
    for (const MeasuredPass& pass : passes) sum += estimated(pass, rates);
    (sum < measured ? least : most) = middle;
  }
  return least;
}

void write_rates(const RatesFile& file) {
  try {
    file.write();
    log::info("rates for the estimates of this machine: {}", file.path()->string());
  } catch (const Error& error) {
    log::warn("{}; the measured rates are not kept", error.what());
  }
}

}  // namespace

Rates fit_rates(const std::vector<MeasuredVariant>& variants) {
  const std::vector<MeasuredPass> passes = passes_of(variants);
  const auto linears_in_fp8 = [](const MeasuredPass& pass) { return pass.work.fp8.contains(pass.step); };
  const auto attention_in_fp8 = [](const MeasuredPass& pass) { return attention_is_fp8(pass.work, pass.step); };
  Rates rates{.linear = flops_of(passes, PassPart::linear, linear_flops, std::not_fn(linears_in_fp8)),
              .fp8_linear = flops_of(passes, PassPart::linear, linear_flops, linears_in_fp8),
              .attention = flops_of(passes, PassPart::attention, attention_flops, std::not_fn(attention_in_fp8)),
              .fp8_attention = flops_of(passes, PassPart::attention, attention_flops, attention_in_fp8)};
  rates.pass = shortest_pass(passes, rates);
  rates.row = seconds_of_row(passes, rates);
  double text_flop = 0, text = 0, decode_flop = 0, decode = 0, pixels = 0, file = 0, rest = 0;
  for (const auto& [work, runs] : variants) {
    const int64_t frames = frames_of_latents(work.decoded_latents);
    text_flop += text_flops(work);
    text += runs.samples([](const BenchRun& run) { return run.text; }).median();
    decode_flop += decode_flops(work.vae, shape_of(work, frames));
    decode += runs.samples([](const BenchRun& run) { return run.decode; }).median();
    pixels += decoded_pixels(work);
    file += runs.samples([](const BenchRun& run) { return run.file; }).median();
    rest += runs.samples([](const BenchRun& run) { return run.rest(); }).median();
  }
  if (text > 0) rates.text = text_flop / text;
  if (decode > 0) rates.decoder = decode_flop / decode;
  rates.file = file / pixels;
  rates.video = std::max(0.0, rest / static_cast<double>(variants.size()));
  const VariantRuns& first = variants.front().runs;
  if (first.loaded_bytes > 0) rates.load = static_cast<double>(first.loaded_bytes) / first.load_seconds;
  if (first.runs.front().warm_up) {
    const double again = first.samples([](const BenchRun& run) { return run.total; }).median();
    rates.start = std::max(0.0, first.runs.front().total - again);
  }
  return rates;
}

void keep_rates(RatesFile file, const Model& model, const std::vector<BenchVariant>& variants,
                const std::vector<VariantRuns>& results) {
  std::vector<std::pair<RatesKey, std::vector<MeasuredVariant>>> kinds;
  for (size_t i = 0; i < variants.size(); ++i) {
    if (variants[i].group->size() > 1) continue;  // rates are those of one device
    const RatesKey key = rates_key(model, variants[i].plan.request);
    auto kind = std::ranges::find_if(kinds, [&](const auto& other) { return other.first == key; });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), {key, {}});
    kind->second.push_back({variants[i].plan.work, results[i]});
  }
  for (const auto& [key, measured] : kinds) file.set(key, fit_rates(measured));
  write_rates(file);
}

void keep_encoder_rate(RatesFile file, const Model& model, const BenchVariant& variant, const BenchTable& media) {
  const Workload& work = variant.plan.work;
  for (const auto& row : media.rows) {
    if (row["what"] != kEncodeSource) continue;
    const double flop = encode_flops(work.vae, shape_of(work, row["frames"].get<int64_t>()));
    file.set(rates_key(model, variant.plan.request), {.encoder = flop / row["seconds"]["median"].get<double>()});
  }
  write_rates(file);
}

}  // namespace faststar
