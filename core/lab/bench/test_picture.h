#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Size of a video.
struct TestPicture {
  int64_t frames = 1;
  int64_t height = 0;
  int64_t width = 0;
};

/// A picture in motion that compresses as natural video does: smooth colours whose amplitude falls with frequency
/// (1/f), under a camera that pans and zooms slowly. Always the same for one size. uint8 [F, H, W, 3] RGB on `device`.
Tensor moving_test_picture(const TestPicture& size, at::Device device);

/// Uniform noise from a fixed seed, of the same shape.
Tensor noise_frames(const TestPicture& size, at::Device device);

}  // namespace faststar
