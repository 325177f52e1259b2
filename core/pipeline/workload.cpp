#include "core/pipeline/workload.h"

#include <algorithm>

namespace faststar {

namespace {

/// Given clips are run for their keys and values alone: with every token.
bool is_reducible(const Workload& work, const Step& step) { return work.gate && step.clip >= work.given_clips; }

int64_t all_tokens(const Workload& work, const Step& step) { return work.schedule.scales()[step.scale].tokens(); }

}  // namespace

int64_t tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->kept_tokens(step) : all_tokens(work, step);
}

int64_t stream_tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->stream_tokens(step) : all_tokens(work, step);
}

int64_t context_tokens(const Workload& work, const Step& step) {
  const int64_t fixed = work.text_tokens + work.condition_tokens;
  const auto reference = work.schedule.reference_of(step.scale);
  if (!reference) return fixed;
  // Its last repetition is the one that keeps keys and values.
  return fixed + tokens_of(work, {.clip = step.clip - 1, .scale = *reference, .last_repetition = true});
}

std::vector<Step> steps_to_run(const Workload& work) {
  std::vector<Step> steps = work.schedule.steps(work.repetitions);
  std::erase_if(steps, [&](const Step& step) {
    return step.clip < work.given_clips && !work.schedule.is_referenced_later(step);
  });
  return steps;
}

VideoShape shape_of(const Workload& work, int64_t frames) {
  const Scale& full = work.schedule.full_scale(0);
  return {pixels_of_features(full.h), pixels_of_features(full.w), frames};
}

namespace {

/// What a device kind reaches in our code; tests/bench/NOTES.md has the measurements.
struct Rates {
  double linear;         ///< FLOP/s of matrix products
  double attention;      ///< FLOP/s
  double convolution;    ///< FLOP/s of the decoder
  double encoder;        ///< FLOP/s of the encoder, which is float32 everywhere
  double step_overhead;  ///< seconds a pass needs at least, beside reading the weights
  double new_shape;      ///< seconds more where libraries meet a scale for the first time
  double start;          ///< seconds more in the very first pass
  double text_start;     ///< seconds more for the first text
  double bandwidth;      ///< bytes/s at which weights are read
};

Rates rates_of(const Workload& work) {
  if (work.device.is_cpu())
    return {.linear = 1.2e11,
            .attention = 6e10,
            .convolution = 7.7e10,
            .encoder = 4.7e10,
            .step_overhead = 2e-3,
            .new_shape = 0,
            .start = 0,
            .text_start = 0,
            .bandwidth = 1e10};
  const bool wide = work.dtype == at::kFloat;
  return {.linear = wide ? 4e13 : 6.5e14,
          .attention = wide ? 1e13 : 5.5e14,
          .convolution = wide ? 2e13 : 2e14,
          .encoder = 2e13,
          .step_overhead = 5e-3,
          .new_shape = 0.03,
          .start = 0.9,
          .text_start = 0.3,
          .bandwidth = 3e12};
}

double linear_parameters(const StarArchitecture& star) {
  const double attention = 2.0 * static_cast<double>(star.hidden_size * (star.heads + star.kv_heads) * star.head_dim);
  return static_cast<double>(star.layers) * (attention + 3.0 * static_cast<double>(star.hidden_size * star.ffn_width));
}

double linear_flops(const Workload& work, int64_t tokens) {
  return 2.0 * static_cast<double>(work.guidance_rows * tokens) * linear_parameters(work.star);
}

double attention_flops(const Workload& work, int64_t queries, int64_t keys) {
  const auto width = static_cast<double>(work.star.heads * work.star.head_dim * work.star.layers);
  return 4.0 * static_cast<double>(work.guidance_rows) * static_cast<double>(queries) * static_cast<double>(keys) *
         width;
}

/// What a pass needs more because it is the first of its kind.
double first_time_seconds(const Workload& work, const Step& step) {
  if (work.warm) return 0;
  const Rates rates = rates_of(work);
  const bool first_of_all = step.index == steps_to_run(work).front().index;
  return (step.repetition == 0 ? rates.new_shape : 0) + (first_of_all ? rates.start : 0);
}

}  // namespace

double step_flops(const Workload& work, const Step& step) {
  const int64_t tokens = tokens_of(work, step);
  return linear_flops(work, tokens) + attention_flops(work, tokens, tokens + context_tokens(work, step));
}

double step_seconds(const Workload& work, const Step& step) {
  const Rates rates = rates_of(work);
  const int64_t tokens = tokens_of(work, step);
  if (tokens == 0) return 0;
  const double weights =
      static_cast<double>(c10::elementSize(work.dtype)) * linear_parameters(work.star) / rates.bandwidth;
  const double linear = std::max(linear_flops(work, tokens) / rates.linear, weights);
  return rates.step_overhead + first_time_seconds(work, step) + linear +
         attention_flops(work, tokens, tokens + context_tokens(work, step)) / rates.attention;
}

double decode_seconds(const Workload& work, int64_t latent_frames) {
  return decode_flops(work.vae, shape_of(work, frames_of_latents(latent_frames))) / rates_of(work).convolution;
}

double encode_seconds(const Workload& work) {
  if (work.source_frames == 0) return 0;
  return encode_flops(work.vae, shape_of(work, work.source_frames)) / rates_of(work).encoder;
}

double text_seconds(const Workload& work) {
  const Rates rates = rates_of(work);
  const double bytes =
      static_cast<double>(parameter_count(work.t5) * static_cast<int64_t>(c10::elementSize(work.dtype)));
  return (work.warm ? 0 : rates.text_start) + rates.step_overhead + bytes / rates.bandwidth +
         2.0 * static_cast<double>(work.text_tokens * parameter_count(work.t5)) / rates.linear;
}

}  // namespace faststar
