#include "core/media/frame_source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace faststar {
namespace {

constexpr double kTimeSlack = 1e-4;  // seconds; containers round times to 1/1000 or finer

/// Takes the current frame for every `wanted` that lies before end_of_frame().
template <typename T, typename EndOfFrame>
Tensor take_frames(VideoReader& video, const std::vector<T>& wanted, const FrameTransform& transform,
                   EndOfFrame end_of_frame) {
  std::vector<Tensor> frames;
  while (frames.size() < wanted.size() && video.advance()) {
    if (wanted[frames.size()] >= end_of_frame()) continue;
    const Tensor frame = transform(video.pixels());
    while (frames.size() < wanted.size() && wanted[frames.size()] < end_of_frame()) frames.push_back(frame);
  }
  if (frames.size() < wanted.size()) {
    fail(ErrorKind::input, fmt::format("the video ends after {} frames ({:.2f} s), before the part that is needed",
                                       video.index() + 1, video.end_time()));
  }
  return at::stack(frames);
}

}  // namespace

FrameSpan last_seconds(double fps, int64_t frames, double span_seconds, int64_t count) {
  const double duration = static_cast<double>(frames) / fps;
  return {duration - span_seconds, duration, count};
}

std::vector<int64_t> frame_indices(double fps, int64_t frames, const FrameSpan& span) {
  const auto first = static_cast<int64_t>(std::ceil(fps * span.start));
  const auto last = std::min(static_cast<int64_t>(std::ceil(fps * span.end)), frames) - 1;
  if (first < 0 || last < first) {
    fail(ErrorKind::input,
         fmt::format("the video has {} frames ({:.2f} s): expected one that covers {:.2f} to {:.2f} s", frames,
                     static_cast<double>(frames) / fps, span.start, span.end));
  }
  const double step = span.count > 1 ? static_cast<double>(last - first) / static_cast<double>(span.count - 1) : 0;
  std::vector<int64_t> indices(static_cast<size_t>(span.count));
  for (int64_t j = 0; j < span.count; ++j) {
    indices[static_cast<size_t>(j)] =
        static_cast<int64_t>(std::floor(static_cast<double>(first) + static_cast<double>(j) * step));
  }
  indices.back() = last;
  return indices;
}

Tensor frames_at(VideoReader& video, const std::vector<int64_t>& indices, const FrameTransform& transform) {
  if (!indices.empty()) video.skip_towards_frame(indices.front());
  return take_frames(video, indices, transform, [&] { return video.index() + 1; });
}

Tensor frames_shown_at(VideoReader& video, const std::vector<double>& times, const FrameTransform& transform) {
  if (!times.empty()) video.skip_towards_time(times.front());
  return take_frames(video, times, transform, [&] { return video.end_time() - kTimeSlack; });
}

}  // namespace faststar
