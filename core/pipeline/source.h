#pragma once
#include <memory>

#include "core/base/tensor.h"
#include "core/pipeline/request.h"

namespace faststar {

/// Reads `source`, resized to the pixels of `size`, and logs what was cropped or padded. Returns float32
/// [1, 3, F, H, W] in [-1, 1] on the CPU: one frame of a picture; of a video as many as its latents stand for, 16 a
/// second (chosen as the official scripts do, or by time where the frame rate varies). Throws Error(input) when the
/// file is missing or damaged, or the video is too short.
Tensor read_source(const SourceClip& source, const VideoSize& size);

/// The sound of that part of the source for the first output of `request`; null when the part is left out or silent.
std::shared_ptr<const SoundTrack> read_source_sound(const Request& request);

}  // namespace faststar
