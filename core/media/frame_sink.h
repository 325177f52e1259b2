#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Takes frames as they are made. Destroyed before publish(), it leaves nothing behind.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// frames: uint8 [F, H, W, 3] RGB, on the CPU, contiguous; F >= 0. They must not change afterwards.
  virtual void write(const Tensor& frames) = 0;
  /// Completes the output under a name of its own. Nothing may be written after it.
  virtual void complete() = 0;
  /// Gives what is complete its final name.
  virtual void publish() = 0;
  void finish() {
    complete();
    publish();
  }
};

/// Throws Error(internal) unless `frames` is what FrameSink::write takes.
void check_frames(const Tensor& frames);

}  // namespace faststar
