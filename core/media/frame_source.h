#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/media/video_reader.h"

namespace faststar {

/// Part of a video from which `count` frames are taken evenly.
struct FrameSpan {
  double start = 0;    ///< seconds
  double end = 5;      ///< seconds
  int64_t count = 81;  ///< frames; 16 per second and one
};

/// The last `span_seconds` of a video of `frames` frames (the interactive mode's source).
FrameSpan last_seconds(double fps, int64_t frames, double span_seconds, int64_t count);

/// Numbers of the source frames that the continuation of a video is conditioned on: from ceil(fps * start) up to but
/// excluding min(ceil(fps * end), frames), evenly and rounded down, so that 81 frames at 16 fps give 0..79 with one of
/// them twice. A video shorter than the span is stretched over the count.
/// Throws Error(input) when the video has no frame in the span.
/// Source: InfinityStar tools/infer_video_480p.py and infer_interact_480p.py.
std::vector<int64_t> frame_indices(double fps, int64_t frames, const FrameSpan& span);

/// Applied to each frame before it is kept, as resizing early saves memory.
using FrameTransform = std::function<Tensor(const Tensor&)>;

/// The frames with these numbers, ascending, repeats allowed, stacked: [indices, ...]. The reader must be new.
/// Throws Error(input) when the video ends before the last one.
Tensor frames_at(VideoReader& video, const std::vector<int64_t>& indices, const FrameTransform& transform);

/// The frames shown at these times (seconds, ascending), stacked: [times, ...]; so `j / 16.0` resamples uneven
/// frames to 16 per second. The reader must be new. Throws Error(input) when the video ends before the last one.
Tensor frames_shown_at(VideoReader& video, const std::vector<double>& times, const FrameTransform& transform);

}  // namespace faststar
