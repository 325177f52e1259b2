#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <span>

#include "core/base/tensor.h"
#include "core/lab/world/scene.h"

namespace faststar {

/// The records as a tensor for the renderer: [B, K] float32 on the CPU, one row a record. The layout is private to the
/// renderer.
Tensor records_to_tensor(std::span<const ClipRecord> records);

/// What to render of each clip: `frames` frames of height x width pixels. The tensors are [B] int64 on the
/// records' device; pixels and frames are counted from the clip's first frame and its top left corner.
struct FrameWindow {
  int64_t frames = 33;
  int64_t height = kWorldHeight;
  int64_t width = kWorldWidth;
  Tensor first_frame;
  Tensor top;
  Tensor left;
};

/// Full frames from the clip's start.
FrameWindow full_window(int64_t clips, int64_t frames, at::Device device);

/// Crops of frames 0 to frames - 1 at random places; with probability `near_object` (0..1) the place is around
/// the first object at a random time. records [B, K]; uniform [B, 4] float32 in [0, 1), which decides.
/// Plain tensor operations on the device of `records`.
FrameWindow crop_window(const Tensor& records, int64_t frames, int64_t height, int64_t width, double near_object,
                        const Tensor& uniform);

struct ClipBatch {
  Tensor pixels;    ///< [B, 3, F, H, W] float32 in [-1, 1], RGB
  Tensor coverage;  ///< [B, 1, F, H, W] float32, 0..1: the share of a pixel that objects cover
};

/// Draws clips on one device with tensor operations of static shapes and no host reads, so a call can be part of
/// a captured CUDA graph. Holds the tables of shapes and patterns.
class ClipRenderer {
 public:
  explicit ClipRenderer(at::Device device);

  /// records [B, K] float32 on the renderer's device. Not differentiable.
  ClipBatch operator()(const Tensor& records, const FrameWindow& window) const;

 private:
  Tensor shapes_;    // [shapes, 1, S, S] float32, signed distances
  Tensor patterns_;  // [patterns, H, period] float32, 0..1
};

}  // namespace faststar
