#include "core/media/frame_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace faststar {

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

}  // namespace faststar
