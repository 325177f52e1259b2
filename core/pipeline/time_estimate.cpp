#include "core/pipeline/time_estimate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/device.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// The embedded model on two cores.
Rates cpu_rates() {
  const double threads = static_cast<double>(at::get_num_threads()) / 2;
  return {.linear = 1.2e11 * threads,
          .fp8_linear = 1e10 * threads,
          .attention = 6e10 * threads,
          .fp8_attention = 6e10 * threads,
          .pass = 8e-3,
          .row = 0,
          .text = 1.2e11 * threads,
          .decoder = 7.7e10 * threads,
          .encoder = 4.7e10 * threads,
          .file = 3e-7 / threads,
          .video = 0.1,
          .load = 1e9,
          .start = 0};
}

/// InfinityStar 8B on an H200.
Rates gpu_rates(const Workload& work) {
  const bool wide = work.dtype == at::kFloat;
  const bool fa3 = work.attention == AttentionBackend::fa3;
  return {.linear = wide ? 4e13 : 6.9e14,
          .fp8_linear = 1.35e15,
          .attention = wide  ? 1e13
                       : fa3 ? 6.7e14
                             : 5.6e14,
          .fp8_attention = 7.7e14,
          .pass = 0.018,
          .row = 1.6e-6,
          .text = 2e13,
          .decoder = wide ? 2e13 : 5.2e14,
          .encoder = 2e13,
          .file = 1e-8,
          .video = 0.05,
          .load = 2e9,
          .start = 0.7};
}

Rates rates_of(const Workload& work) {
  return with_standard(work.measured, work.device.is_cpu() ? cpu_rates() : gpu_rates(work));
}

constexpr double kMinute = 60, kHour = 3600;

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 3 * kMinute) return fmt::format("{:.0f} s", seconds);
  if (seconds < 3 * kHour) return fmt::format("{:.0f} min", seconds / kMinute);
  return fmt::format("{:.1f} h", seconds / kHour);
}

}  // namespace

bool attention_is_fp8(const Workload& work, const Step& step) {
  return work.attention == AttentionBackend::fa3 && attends_in_fp8(work, step);
}

double step_seconds(const Workload& work, const Step& step) {
  const int64_t tokens = tokens_of(work, step);
  if (tokens == 0) return 0;
  const Rates rates = rates_of(work);
  const double linear = linear_flops(work, step) / *(work.fp8.contains(step) ? rates.fp8_linear : rates.linear);
  const double attention =
      attention_flops(work, step) / *(attention_is_fp8(work, step) ? rates.fp8_attention : rates.attention);
  const double rest = *rates.row * static_cast<double>(work.guidance_rows.of(step) * tokens);
  const auto shared = static_cast<double>(layout_of(work, step).processes());
  const bool first = !work.warm && step.index == steps_to_run(work).front().index;
  return (first ? *rates.start : 0) + std::max(*rates.pass, (linear + attention + rest) / shared);
}

double decode_seconds(const Workload& work, int64_t latent_frames) {
  return decode_flops(work.vae, shape_of(work, frames_of_latents(latent_frames))) / *rates_of(work).decoder /
         work.processes;
}

double encode_seconds(const Workload& work) {
  if (work.source_frames == 0) return 0;
  return encode_flops(work.vae, shape_of(work, work.source_frames)) / *rates_of(work).encoder;
}

double text_seconds(const Workload& work) { return text_flops(work) / *rates_of(work).text; }

double file_seconds(const Workload& work) {
  const Rates rates = rates_of(work);
  return *rates.video + *rates.file * decoded_pixels(work);
}

double load_seconds(const Workload& work, int64_t bytes) { return static_cast<double>(bytes) / *rates_of(work).load; }

bool is_measured(const Workload& work, const NeededRates& needed) {
  if (work.processes > 1) return false;
  const Rates& has = work.measured;
  bool all = has.decoder && has.file && has.video && (has.load || !needed.loads);
  if (!needed.generates) return all;
  all = all && has.pass && has.row && has.text && (has.start || work.warm) && (has.encoder || work.source_frames == 0);
  return all && std::ranges::all_of(steps_to_run(work), [&](const Step& step) {
           return (work.fp8.contains(step) ? has.fp8_linear : has.linear) &&
                  (attention_is_fp8(work, step) ? has.fp8_attention : has.attention);
         });
}

bool can_guess_time(at::Device device) {
  if (device.is_cpu()) return true;
  const std::string name = device_name(device);
  return name.find("H200") != std::string::npos || name.find("H100") != std::string::npos;
}

nlohmann::ordered_json to_json(const std::optional<TimeEstimate>& estimate) {
  if (!estimate) return {{"seconds_estimate", nullptr}, {"estimate_source", nullptr}};
  return {{"seconds_estimate", estimate->seconds}, {"estimate_source", estimate->measured ? "measured" : "guess"}};
}

std::string time_text(const std::optional<TimeEstimate>& estimate) {
  if (!estimate) return "not known; `faststar bench` measures it on the GPU";
  if (estimate->processes > 1) {
    return fmt::format("about {} (a guess: several devices were not measured)", duration_text(estimate->seconds));
  }
  return fmt::format("about {} ({})", duration_text(estimate->seconds),
                     estimate->measured ? "measured on this machine" : "a guess; `faststar bench` measures it");
}

}  // namespace faststar
