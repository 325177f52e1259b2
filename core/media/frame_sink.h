#pragma once
#include "core/tensor.h"

namespace faststar {

/// Takes frames as they are made. Destroyed before finish(), it leaves nothing behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// frames: uint8 [F, H, W, 3] RGB, on the CPU, contiguous; F >= 0. They must not change afterwards.
  virtual void write(const Tensor& frames) = 0;
  /// Completes the output and gives it its final name. Nothing may be written after it.
  virtual void finish() = 0;
};

/// Throws Error(internal) unless `frames` is what FrameSink::write takes.
void check_frames(const Tensor& frames);

}  // namespace faststar
