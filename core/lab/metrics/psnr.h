#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// Mean squared error of each frame over its H x W x C values, in squared levels.
/// a, b: uint8, or floating point in levels 0 to 255, [F, H, W, C], one shape and device. Returns float64 [F] on
/// the CPU; exact for uint8, so every device gives the same. Throws Error(input) when the shapes differ.
Tensor frame_mse(const Tensor& a, const Tensor& b);

/// Peak signal-to-noise ratio of a mean squared error in squared levels: 10 log10(255^2 / mse), dB; infinity for 0.
double psnr(double mse);

/// PSNR of a video. Frames without any difference have an infinite one: they are counted, never averaged.
struct PsnrSummary {
  int64_t frames = 0;
  int64_t identical_frames = 0;
  std::optional<double> pooled;  ///< dB, of the MSE over all frames; nothing (infinite) when all are identical
  std::optional<double> mean;    ///< dB, mean of the PSNRs of the frames that differ; nothing when none does
};

/// `mse`: one value a frame, as frame_mse gives it. Leave out what is not to count: frame 0 of a pruned run is
/// that of the dense run, so fidelity is told over the frames after it.
PsnrSummary summarize_psnr(const std::vector<double>& mse);

}  // namespace faststar
