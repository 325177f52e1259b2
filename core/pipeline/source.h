#pragma once
#include "core/base/tensor.h"
#include "core/config/resolve.h"
#include "core/pipeline/request.h"

namespace faststar {

/// The picture or video that a run of `task` starts from; none for a task that starts from text alone. Throws
/// Error(usage) when it was not named.
std::optional<SourceClip> find_source(Task task, const ResolvedSettings& resolved);

/// Reads `source`, resized to the pixels of `size`, and logs what was cropped or padded. Returns float32
/// [1, 3, F, H, W] in [-1, 1] on the CPU: one frame of a picture; of a video as many as its latents stand for, 16 a
/// second (chosen as the official scripts do, or by time where the frame rate varies). Throws Error(input) when the
/// file is missing or damaged, or the video is too short.
Tensor read_source(const SourceClip& source, const VideoSize& size);

/// The source's sound for its part of a video called `file`; null when that part is left out or silent.
std::shared_ptr<const SoundTrack> read_source_sound(const Request& request, const std::filesystem::path& file);

/// Logs one warning when the output will not be meaningful: interactive runs of a model that was not trained for them,
/// and the embedded model with pictures and videos that it did not make. Throws Error(input) when the source cannot be
/// read.
void warn_about_untrained_use(const Request& request);

}  // namespace faststar
