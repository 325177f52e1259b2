#pragma once
#include "core/base/tensor.h"
#include "core/pipeline/job.h"

namespace faststar {

/// Reads `source`, resized to the pixels of `size`, and says what was cut or added. Returns float32
/// [1, 3, F, H, W] in [-1, 1] on the CPU: one frame of a picture; of a video as many as its latents stand for, 16 a
/// second (chosen as the official scripts do, or by time where the frame rate varies). Throws Error(input) when the
/// file is missing or damaged, or the video is too short.
Tensor read_source(const JobSource& source, const JobSize& size);

}  // namespace faststar
