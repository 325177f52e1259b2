#include "core/lab/evaluate/background_reader.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/patterns.h"
#include "core/lab/world/trajectory.h"

namespace faststar {
namespace {

/// One period of every empty background at half size: [patterns, colours, 3, H/2, period/2].
Tensor empty_backgrounds() {
  std::vector<ClipRecord> records;
  constexpr auto patterns = Choices<Pattern>::names.size(), colours = Choices<BackgroundColour>::names.size();
  for (size_t i = 0; i < patterns * colours; ++i) {
    records.push_back(
        {.pattern = static_cast<Pattern>(i / colours), .background = static_cast<BackgroundColour>(i % colours)});
  }
  const auto count = static_cast<int64_t>(records.size());
  FrameWindow window = full_window(count, 1, at::kCPU);
  window.width = kPatternPeriod;
  const ClipBatch clips = ClipRenderer(at::kCPU)(records_to_tensor(records), window);
  const Tensor half = at::avg_pool2d(clips.pixels.squeeze(2), {kSeenScale, kSeenScale}) * .5 + .5;
  return half.unflatten(0, {static_cast<int64_t>(patterns), static_cast<int64_t>(colours)});
}

/// By how many of its columns the picture has moved to the right at each of the frames seen, under `camera`.
std::vector<int64_t> shifts_of(Camera camera, ClipPart part) {
  std::vector<int64_t> shifts;
  const SeenFrames seen = frames_of(part);
  for (int64_t i = 0; i < kFramesSeen; ++i) {
    shifts.push_back(pan_pixels(camera) * (seen.first + i * seen.step) / kSeenScale);
  }
  return shifts;
}

/// What a background may be, and how far from it the picture is.
struct BackgroundMatch {
  Camera camera = Camera::still;
  std::vector<int64_t> shifts;
  int64_t place = 0;  ///< in backgrounds, patterns and colours as one
  double difference = 0;
};

/// How far pictures [..., 3, h, w] are from each other: [...]. A pixel's difference counts up to a limit: objects may
/// stand on a background.
Tensor picture_difference(const Tensor& a, const Tensor& b) {
  constexpr double kMax = .3;
  return (a - b).abs().sum(-3).clamp_max(kMax).mean({-2, -1});
}

/// `width` columns of `backgrounds` [..., period] from `first` on.
Tensor background_columns(const Tensor& backgrounds, int64_t first, int64_t width) {
  return backgrounds.index_select(-1, (at::arange(width, at::kLong) + first).remainder(backgrounds.size(-1)));
}

/// The empty background nearest to frames [9, 3, h, w] if the camera moved so: nearest to the median of what they all
/// show of the scene. Its difference is the mean over frames.
BackgroundMatch match_background(const Tensor& frames, Camera camera, ClipPart part, const Tensor& backgrounds) {
  BackgroundMatch match{.camera = camera, .shifts = shifts_of(camera, part)};
  const auto& shifts = match.shifts;
  const auto [least, most] = std::ranges::minmax(shifts);
  const int64_t width = frames.size(3), width_of_all = width - (most - least);
  std::vector<Tensor> aligned;
  for (int64_t i = 0; i < kFramesSeen; ++i) {
    aligned.push_back(frames[i].narrow(2, shifts[static_cast<size_t>(i)] - least, width_of_all));
  }
  const Tensor scene = std::get<0>(at::stack(aligned).median(0));
  const Tensor all = backgrounds.flatten(0, 1);
  match.place = picture_difference(background_columns(all, -least, width_of_all), scene).argmin().item<int64_t>();
  std::vector<Tensor> empty;
  for (const int64_t shift : shifts) empty.push_back(background_columns(all[match.place], -shift, width));
  match.difference = picture_difference(at::stack(empty), frames).mean().item<double>();
  return match;
}

}  // namespace

BackgroundReader::BackgroundReader() : backgrounds_(empty_backgrounds()) {}

SeenBackground BackgroundReader::operator()(const Tensor& frames, ClipPart part) const {
  constexpr double kClear = .8;  // of the difference without a pan
  BackgroundMatch best = match_background(frames, Camera::still, part, backgrounds_);
  for (const Camera camera : {Camera::pan_left, Camera::pan_right}) {
    BackgroundMatch panned = match_background(frames, camera, part, backgrounds_);
    if (panned.difference < best.difference * (best.camera == Camera::still ? kClear : 1)) best = std::move(panned);
  }
  return {.pattern = static_cast<Pattern>(best.place / backgrounds_.size(1)),
          .colour = static_cast<BackgroundColour>(best.place % backgrounds_.size(1)),
          .camera = best.camera,
          .shifts = std::move(best.shifts)};
}

}  // namespace faststar
