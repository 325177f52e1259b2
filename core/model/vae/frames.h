#pragma once
#include <optional>

#include "core/base/tensor.h"

namespace faststar {

/// Decoded pixels in about [-1, 1] as 8-bit frames: (x + 1) / 2, clamped to [0, 1], times 255, truncated, every
/// step in the tensor's own dtype as in the official code (there bfloat16; float32 differs by at most a level).
/// decoded [1, 3, F, H, W] floating-point. Returns [F, H, W, 3] uint8, RGB, on the same device.
/// Source: summed_codes2images, infinity/models/infinity.py (which hands out BGR).
Tensor to_frames(const Tensor& decoded);

/// What to show as a video's first frame (`--first-frame`): a copy of frame 1, as the official code does, or frame 0.
enum class FirstFrame { copy, keep };

/// Turns decoded slices into frames and applies the first-frame rule on the way, so that a video never has to be
/// held as a whole. A video of one frame keeps it.
class FrameStream {
 public:
  explicit FrameStream(FirstFrame rule) : rule_(rule) {}

  /// A slice as VideoVae::decode gives it, [1, 3, f, H, W]. Returns the frames that can be shown now,
  /// [n, H, W, 3] uint8 RGB; nothing while frame 0 waits for frame 1.
  std::optional<Tensor> push(const Tensor& decoded);

  /// After the last slice: the frame that is still waiting, [1, H, W, 3], if any.
  std::optional<Tensor> finish();

 private:
  FirstFrame rule_;
  bool started_ = false;
  std::optional<Tensor> waiting_;  // frame 0, [1, H, W, 3]
};

}  // namespace faststar
