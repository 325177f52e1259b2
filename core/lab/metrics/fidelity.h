#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/lab/metrics/lpips.h"
#include "core/lab/metrics/psnr.h"

namespace faststar {

/// How near one frame is to its counterpart.
struct FrameFidelity {
  double mse = 0;   ///< squared levels; 0 for an identical frame
  double ssim = 0;  ///< -1 to 1
  std::optional<double> lpips;
};

/// One entry a frame. a, b: uint8 [F, H, W, 3], one shape. `lpips` may be null: no weights, no value.
/// Throws Error(input) as the metrics do.
std::vector<FrameFidelity> measure_fidelity(const Tensor& a, const Tensor& b, const Lpips* lpips);

/// How near one video is to another.
struct VideoFidelity {
  PsnrSummary psnr;
  double ssim_mean = 0;              ///< over all frames
  std::optional<double> lpips_mean;  ///< over all frames; nothing without weights
};

/// Over at least one frame; leave out those that are not to count.
VideoFidelity summarize_fidelity(const std::vector<FrameFidelity>& frames);

/// {"frames","psnr_pooled","psnr_mean","ssim_mean","lpips_mean","identical_frames"}: decibels, and null for a
/// PSNR without any difference (infinite) and for LPIPS without weights.
std::string to_json(const VideoFidelity& fidelity);

}  // namespace faststar
