#include "core/lab/metrics/psnr.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "core/lab/metrics/frame_pair.h"

namespace faststar {
namespace {

constexpr double kPeak = 255;

// Squares of differences of 8-bit levels, summed without rounding.
Tensor mse_of_levels(const Tensor& a, const Tensor& b) {
  const Tensor squares = (a.to(at::kInt) - b.to(at::kInt)).square_();
  return squares.sum({1, 2, 3}, /*keepdim=*/false, at::kLong).to(at::kDouble) / static_cast<double>(a[0].numel());
}

}  // namespace

Tensor frame_mse(const Tensor& a, const Tensor& b) {
  check_frame_pair("PSNR", a, b);
  if (a.size(0) == 0) return at::empty({0}, at::kDouble);
  const bool levels = a.scalar_type() == at::kByte && b.scalar_type() == at::kByte;
  const Tensor mse =
      levels ? mse_of_levels(a, b) : (a.to(at::kDouble) - b.to(at::kDouble)).square_().mean(at::IntArrayRef{1, 2, 3});
  return mse.cpu();
}

double psnr(double mse) { return 10 * std::log10(kPeak * kPeak / mse); }

PsnrSummary summarize_psnr(const std::vector<double>& mse) {
  PsnrSummary summary{.frames = static_cast<int64_t>(mse.size())};
  double sum = 0;
  for (const double value : mse) {
    if (value == 0) {
      ++summary.identical_frames;
    } else {
      sum += psnr(value);
    }
  }
  const int64_t differing = summary.frames - summary.identical_frames;
  if (differing == 0) return summary;
  summary.pooled = psnr(std::accumulate(mse.begin(), mse.end(), 0.0) / static_cast<double>(summary.frames));
  summary.mean = sum / static_cast<double>(differing);
  return summary;
}

}  // namespace faststar
