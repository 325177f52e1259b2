#include "core/metrics/ssim.h"

#include <ATen/ATen.h>

#include "core/metrics/frame_pair.h"

namespace faststar {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kC1 = 0.01 * 255 * 0.01 * 255;
constexpr double kC2 = 0.03 * 255 * 0.03 * 255;
/// Taken off before squares are made, so that float32 keeps the small variances; put back into the means.
constexpr double kMiddle = 127.5;

// [window], sums to 1.
Tensor gaussian_window(at::Device device) {
  const Tensor distance = at::arange(kWindow, at::kDouble) - kWindow / 2;
  const Tensor weights = (distance.square() / (-2 * kSigma * kSigma)).exp();
  return (weights / weights.sum()).to(device, at::kFloat);
}

// x [N, H, W] -> [N, H - 10, W - 10], each value the window's weighted mean.
Tensor window_mean(const Tensor& x, const Tensor& window) {
  const Tensor vertical = at::conv2d(x.unsqueeze(1), window.view({1, 1, kWindow, 1}));
  return at::conv2d(vertical, window.view({1, 1, 1, kWindow})).squeeze(1);
}

// [H, W, C] -> [C, H, W]
Tensor centred_planes(const Tensor& frame) { return (frame.to(at::kFloat) - kMiddle).permute({2, 0, 1}).contiguous(); }

// One frame [H, W, C] at a time: the maps of a whole clip would not fit beside it.
Tensor ssim_of_frame(const Tensor& frame_a, const Tensor& frame_b, const Tensor& window) {
  const Tensor a = centred_planes(frame_a), b = centred_planes(frame_b);
  const Tensor mean_a = window_mean(a, window), mean_b = window_mean(b, window);
  const Tensor variance_a = window_mean(a * a, window) - mean_a * mean_a;
  const Tensor variance_b = window_mean(b * b, window) - mean_b * mean_b;
  const Tensor covariance = window_mean(a * b, window) - mean_a * mean_b;
  const Tensor level_a = mean_a + kMiddle, level_b = mean_b + kMiddle;
  const Tensor luminance = (2 * level_a * level_b + kC1) / (level_a * level_a + level_b * level_b + kC1);
  const Tensor structure = (2 * covariance + kC2) / (variance_a + variance_b + kC2);
  return (luminance * structure).mean(at::kDouble);
}

}  // namespace

Tensor frame_ssim(const Tensor& a, const Tensor& b) {
  check_frame_pair("SSIM", a, b, kWindow);
  const Tensor window = gaussian_window(a.device());
  Tensor ssim = at::empty({a.size(0)}, a.options().dtype(at::kDouble));
  for (int64_t i = 0; i < a.size(0); ++i) ssim[i].copy_(ssim_of_frame(a[i], b[i], window));
  return ssim.cpu();
}

}  // namespace faststar
