#pragma once
#include "core/engine/job.h"
#include "core/tensor.h"

namespace faststar {

/// Reads what `job` goes on from, resized to the job's pixels, and says what was cut or added. Returns float32
/// [1, 3, F, H, W] in [-1, 1] on the CPU: one frame of a picture; of a video those of its first clips, 16 a second
/// (chosen as the official scripts do, or by time where the frame rate varies).
/// Throws Error(input) when the file is missing or damaged, or the video is too short.
Tensor read_source(const JobSource& source, const JobSize& size);

}  // namespace faststar
