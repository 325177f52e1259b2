#include "core/lab/train/vae_loss.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

/// Mean of |difference of neighbours along `dim`|, weighted by the later one's weight.
Tensor neighbour_loss(const Tensor& d, const Tensor& weight, int64_t dim) {
  const int64_t n = d.size(dim) - 1;
  return (weight.narrow(dim, 1, n) * (d.narrow(dim, 1, n) - d.narrow(dim, 0, n)).abs()).mean();
}

/// The largest coverage within 4 frames and 4 pixels.
Tensor coverage_nearby(const Tensor& coverage) {
  constexpr int64_t kReach = 4, kWindow = 2 * kReach + 1;
  const Tensor in_time = at::max_pool3d(coverage, {kWindow, 1, 1}, {1, 1, 1}, {kReach, 0, 0});
  return at::max_pool3d(in_time, {1, kWindow, kWindow}, {1, 1, 1}, {0, kReach, kReach});
}

Tensor weight_of(const Tensor& coverage, const VaeLossWeights& weights) {
  const Tensor weight = coverage * weights.object + 1;
  return weights.near_object > 0 ? weight + coverage_nearby(coverage) * weights.near_object : weight;
}

}  // namespace

Tensor reconstruction_loss(const Tensor& decoded, const Tensor& pixels, const Tensor& coverage,
                           const VaeLossWeights& weights) {
  const Tensor d = decoded.to(at::kFloat) - pixels;
  const Tensor w = weight_of(coverage, weights);
  const Tensor square = d.square();
  const Tensor pixel = (w * ((square + 1e-6).sqrt() + weights.squared * square)).mean();
  const Tensor edges = neighbour_loss(d, w, 4) + neighbour_loss(d, w, 3);
  const Tensor motion = neighbour_loss(d, w, 2);
  const Tensor areas = at::avg_pool3d(d, {1, 4, 4}).abs().mean();
  return pixel + weights.spatial_gradient * edges + weights.temporal_difference * motion + weights.pooled * areas;
}

}  // namespace faststar
