#include "core/star/guidance.h"

#include <ATen/ATen.h>

#include <cmath>

namespace faststar {
namespace {

/// Scales `difference` down to a root mean square of `threshold`.
Tensor limit_norm(const Tensor& difference, double threshold) {
  if (threshold <= 0) return difference;
  const double elements = static_cast<double>(difference.numel());
  const Tensor rms = difference.norm() / std::sqrt(elements);
  return difference * (threshold / rms).clamp_max(1.0);
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
  const Tensor difference = limit_norm(cond - uncond, settings.norm_threshold);
  return cond + orthogonal_part(difference, cond) * (settings.scale - 1);
}

}  // namespace faststar
