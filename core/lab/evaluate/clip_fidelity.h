#pragma once
#include <cstdint>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/world/clip_renderer.h"

namespace faststar {

/// How near clips are to what they should show: means over clips, of the 8-bit frames that are shown.
struct ClipFidelity {
  double psnr = 0;         ///< dB
  double object_psnr = 0;  ///< dB, of what objects cover
  double ssim = 0;
};

/// Gathers the fidelity of clips.
class ClipFidelitySum {
 public:
  /// decoded [3, F, H, W] floating-point in about [-1, 1]; rendered: a batch of one, as long, on the same device.
  void add(const ClipBatch& rendered, const Tensor& decoded);

  ClipFidelity mean() const;
  /// dB of each frame: of the mean error over clips.
  std::vector<double> frame_psnr() const;

 private:
  ClipFidelity sum_;
  Tensor frame_mse_;  // [F] float64
  int64_t clips_ = 0;
};

}  // namespace faststar
