#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

class Lpips;

/// Throws Error(input) unless `a` and `b` are frames [F, H, W, C] of one shape, the smallest side of which has at
/// least `smallest_side` pixels. `metric` begins the message.
void check_frame_pair(const char* metric, const Tensor& a, const Tensor& b, int64_t smallest_side = 1);

/// Mean squared error of each frame over its H x W x C values, in squared levels.
/// a, b: uint8, or floating point in levels 0 to 255, [F, H, W, C], one shape and device. Returns float64 [F] on
/// the CPU; exact for uint8, so every device gives the same. Throws Error(input) when the shapes differ.
Tensor frame_mse(const Tensor& a, const Tensor& b);

/// Peak signal-to-noise ratio of a mean squared error in squared levels: 10 log10(255^2 / mse), dB; infinity for 0.
double psnr(double mse);

/// PSNR of a video. Identical frames have an infinite PSNR: they are counted but not averaged.
struct PsnrSummary {
  int64_t frames = 0;
  int64_t identical_frames = 0;
  std::optional<double> pooled;  ///< dB, of the MSE over all frames; nullopt (infinite) when all are identical
  std::optional<double> mean;    ///< dB, mean PSNR of the frames that differ; nullopt when none does
};

/// `mse`: one value per frame, from frame_mse. The caller leaves frame 0 of a pruned run out: it equals that of the
/// dense run.
PsnrSummary summarize_psnr(const std::vector<double>& mse);

/// Structural similarity of each frame, in [-1, 1], 1 for equal frames: the mean over colours and over all places
/// where the whole 11x11 Gaussian window (sigma 1.5) lies inside; K1 = 0.01, K2 = 0.03, range 255.
/// a, b: uint8, or floating point in levels 0 to 255, [F, H, W, C], one shape and device, H and W at least 11.
/// Returns float64 [F] on the CPU. Throws Error(input) when the shapes differ or the frames are smaller.
/// Source: Wang et al. 2004; as scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False, data_range=255.
Tensor frame_ssim(const Tensor& a, const Tensor& b);

/// Fidelity of one frame to its counterpart.
struct FrameFidelity {
  double mse = 0;   ///< squared levels; 0 for an identical frame
  double ssim = 0;  ///< -1 to 1
  std::optional<double> lpips;
};

/// One entry per frame. a, b: uint8 [F, H, W, 3], same shape. `lpips` null: not measured. Throws Error(input) like
/// the metrics.
std::vector<FrameFidelity> measure_fidelity(const Tensor& a, const Tensor& b, const Lpips* lpips);

/// Fidelity of one video to another.
struct VideoFidelity {
  PsnrSummary psnr;
  double ssim_mean = 0;              ///< over all frames
  std::optional<double> lpips_mean;  ///< over all frames; nullopt without weights
};

/// `frames`: at least one.
VideoFidelity summarize_fidelity(const std::vector<FrameFidelity>& frames);

/// {"frames","psnr_pooled","psnr_mean","ssim_mean","lpips_mean","identical_frames"}: PSNR in dB, null
/// when it is infinite; LPIPS null without weights.
std::string to_json(const VideoFidelity& fidelity);

}  // namespace faststar
