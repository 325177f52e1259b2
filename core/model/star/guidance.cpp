#include "core/model/star/guidance.h"

#include <ATen/ATen.h>

#include <cmath>

namespace faststar {
namespace {

/// The factor that brings the root mean square of `difference` down to `threshold`.
Tensor norm_limit(const Tensor& difference, double threshold) {
  const double elements = static_cast<double>(difference.numel());
  const Tensor rms = difference.norm() / std::sqrt(elements);
  return (threshold / rms).clamp_max(1.0);
}

/// The part of `difference` at right angles to `direction`; float64, as the sums run over millions of logits.
Tensor orthogonal_part(const Tensor& difference, const Tensor& direction) {
  const Tensor wide = difference.to(at::kDouble);
  const Tensor along = direction.to(at::kDouble);
  const Tensor unit = along / along.norm().clamp_min(1e-12);
  return (wide - (wide * unit).sum() * unit).to(at::kFloat);
}

}  // namespace

Tensor guide(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings) {
  if (settings.scale == 1) return cond;
  if (settings.method == GuidanceMethod::cfg) return cond * settings.scale + uncond * (1 - settings.scale);
  Tensor difference = cond - uncond;
  if (settings.norm_threshold > 0) difference = difference * norm_limit(difference, settings.norm_threshold);
  return cond + orthogonal_part(difference, cond) * (settings.scale - 1);
}

ApgMeasures measure_apg(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings) {
  const Tensor difference = cond - uncond;
  ApgMeasures measures;
  measures.limit =
      settings.norm_threshold <= 0 ? at::ones({}, cond.options()) : norm_limit(difference, settings.norm_threshold);
  const Tensor direction = cond.to(at::kDouble);
  const Tensor scaled = (difference * measures.limit).to(at::kDouble);
  measures.along = ((scaled * direction).sum() / direction.square().sum().clamp_min(1e-24)).to(at::kFloat);
  return measures;
}

Tensor guide_as_measured(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings,
                         const ApgMeasures& measures) {
  const Tensor difference = (cond - uncond) * measures.limit;
  return cond + (difference - measures.along * cond) * (settings.scale - 1);
}

Tensor sample_bits(const Tensor& logits, Sampling sampling, const RandomStep& step, const Tensor& tokens) {
  const Tensor pairs = logits.unflatten(-1, {logits.size(-1) / 2, 2});
  const Tensor zero = pairs.select(-1, 0);  // [L, d]
  const Tensor one = pairs.select(-1, 1);
  if (sampling == Sampling::greedy) return one.gt(zero).to(at::kByte);
  const Tensor numbers = tokens.defined() ? tokens : at::arange(logits.size(0), logits.options().dtype(at::kLong));
  const Tensor uniform = philox_uniform(step, RandomPurpose::bits, numbers, zero.size(-1));
  return uniform.lt((one - zero).sigmoid()).to(at::kByte);
}

}  // namespace faststar
