#include "core/plan/cost_model.h"

#include <algorithm>

namespace faststar {
namespace {

/// What a device kind reaches in our code; tests/bench/NOTES.md has the measurements.
struct Rates {
  double linear;         ///< FLOP/s of matrix products
  double attention;      ///< FLOP/s
  double convolution;    ///< FLOP/s
  double step_overhead;  ///< seconds a pass needs at least, beside reading the weights
  double bandwidth;      ///< bytes/s at which weights are read
};

Rates rates_of(const Workload& work) {
  if (work.device.is_cpu())
    return {.linear = 1.2e11, .attention = 6e10, .convolution = 6e10, .step_overhead = 2e-3, .bandwidth = 1e10};
  if (work.dtype == at::kFloat)
    return {.linear = 4e13, .attention = 1e13, .convolution = 2e13, .step_overhead = 5e-3, .bandwidth = 3e12};
  return {.linear = 6.5e14, .attention = 5.5e14, .convolution = 2e14, .step_overhead = 5e-3, .bandwidth = 3e12};
}

double linear_parameters(const StarArchitecture& star) {
  const double attention = 2.0 * static_cast<double>(star.width * (star.heads + star.kv_heads) * star.head_width);
  return static_cast<double>(star.layers) * (attention + 3.0 * static_cast<double>(star.width * star.ffn_width));
}

double linear_flops(const Workload& work, int64_t tokens) {
  return 2.0 * static_cast<double>(work.guidance_rows * tokens) * linear_parameters(work.star);
}

double attention_flops(const Workload& work, int64_t queries, int64_t keys) {
  const auto width = static_cast<double>(work.star.heads * work.star.head_width * work.star.layers);
  return 4.0 * static_cast<double>(work.guidance_rows) * static_cast<double>(queries) * static_cast<double>(keys) *
         width;
}

/// Multiply-adds, twice, of a 3x3x3 convolution at one position.
double convolution_flops(int64_t in, int64_t out) {
  return 2.0 * 27.0 * static_cast<double>(in) * static_cast<double>(out);
}

}  // namespace

int64_t tokens_of(const Workload& work, const Step& step) {
  return work.gate ? work.gate->kept_tokens(step) : work.schedule.scales()[step.scale].tokens();
}

int64_t context_tokens(const Workload& work, const Step& step) {
  const auto reference = work.schedule.reference_of(step.scale);
  if (!reference) return work.text_tokens;
  // Its last repetition is the one that keeps keys and values.
  return work.text_tokens + tokens_of(work, {.clip = step.clip - 1, .scale = *reference, .last_repetition = true});
}

double step_flops(const Workload& work, const Step& step) {
  const int64_t tokens = tokens_of(work, step);
  return linear_flops(work, tokens) + attention_flops(work, tokens, tokens + context_tokens(work, step));
}

double decode_flops(const VaeArchitecture& vae, int64_t latent_frames, const Scale& full) {
  const auto& c = vae.block_out_channels;
  // Per token: 2 x 2 latents, which three upsamplers make 16 x 16 pixels; two of them double the frames.
  constexpr double kLatent = 4;
  constexpr double kAfterFirst = 4 * kLatent;
  constexpr double kAfterSecond = 2 * 4 * kAfterFirst;
  constexpr double kPixels = 2 * 4 * kAfterSecond;
  const double at_latents =
      (4 + 6) * convolution_flops(c[4], c[4]) + 6 * convolution_flops(c[3], c[3]) + 4 * convolution_flops(c[3], c[2]);
  const double after_first = 6 * convolution_flops(c[2], c[2]) + 8 * convolution_flops(c[2], c[1]);
  const double after_second = 6 * convolution_flops(c[1], c[1]) + 8 * convolution_flops(c[1], c[0]);
  const double token = kLatent * at_latents + kAfterFirst * after_first + kAfterSecond * after_second +
                       kPixels * convolution_flops(c[0], 3);
  return token * static_cast<double>(latent_frames * full.h * full.w);
}

double step_seconds(const Workload& work, const Step& step) {
  const Rates rates = rates_of(work);
  const int64_t tokens = tokens_of(work, step);
  if (tokens == 0) return 0;
  const double weights =
      static_cast<double>(c10::elementSize(work.dtype)) * linear_parameters(work.star) / rates.bandwidth;
  const double linear = std::max(linear_flops(work, tokens) / rates.linear, weights);
  return rates.step_overhead + linear +
         attention_flops(work, tokens, tokens + context_tokens(work, step)) / rates.attention;
}

double decode_seconds(const Workload& work, int64_t latent_frames) {
  return decode_flops(work.vae, latent_frames, work.schedule.full_scale(0)) / rates_of(work).convolution;
}

double text_seconds(const Workload& work) {
  const Rates rates = rates_of(work);
  const double bytes =
      static_cast<double>(parameter_count(work.t5) * static_cast<int64_t>(c10::elementSize(work.dtype)));
  return rates.step_overhead + bytes / rates.bandwidth +
         2.0 * static_cast<double>(work.text_tokens * parameter_count(work.t5)) / rates.linear;
}

double load_seconds(int64_t bytes) {
  constexpr double kDiskRate = 2e9;
  return static_cast<double>(bytes) / kDiskRate;
}

}  // namespace faststar
