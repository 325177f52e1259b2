#include "core/lab/study/feature_spectrum.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

/// Above half of Nyquist, in cycles a sample.
constexpr double kHigh = 0.25;

}  // namespace

double high_frequency_share(const Tensor& map) {
  const Tensor values = map.cpu().to(at::kFloat);
  const Tensor energy = at::fft_fft2(values).abs().square().sum({0, 1, 2});  // [H, W]
  energy[0][0].zero_();
  const Tensor rows = at::fft_fftfreq(values.size(3), 1.0).abs().gt(kHigh).unsqueeze(1);
  const Tensor columns = at::fft_fftfreq(values.size(4), 1.0).abs().gt(kHigh).unsqueeze(0);
  const double all = energy.sum().item<double>();
  return all > 0 ? at::where(rows.logical_or(columns), energy, 0.0).sum().item<double>() / all : 0;
}

}  // namespace faststar
