#include "core/lab/evaluate/checker.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/lab/world/appearance.h"
#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/trajectory.h"

namespace faststar {
namespace {

/// One period of every empty background at half size: [patterns, colours, 3, H/2, period/2].
Tensor empty_backgrounds() {
  std::vector<ClipRecord> records;
  constexpr auto patterns = kChoiceNames<Pattern>.size(), colours = kChoiceNames<BackgroundColour>.size();
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

constexpr int kMinBlob = 40;  ///< pixels at half size

/// `track` with the camera's motion taken out.
Track in_scene(Track track, const std::vector<int64_t>& shifts) {
  for (size_t i = 0; i < track.size(); ++i) {
    if (!track[i]) continue;
    track[i]->x -= static_cast<double>(shifts[i]);
    for (Blob::Pixel& pixel : track[i]->pixels) pixel.x -= static_cast<int>(shifts[i]);
  }
  return track;
}

Tensor colour_tensor(const Rgb& colour) { return at::tensor(at::ArrayRef<float>(colour)).view({3, 1, 1}); }

/// Where frames [9, 3, h, w] have a colour that is no mixture of the background's two tones: [9, h, w] bool.
Tensor object_masks(const Tensor& frames, BackgroundColour background) {
  constexpr double kFarAway = .25;  // in RGB
  const BackgroundTones tones = background_tones(background);
  const Tensor tone = colour_tensor(tones.tone);
  const Tensor along = colour_tensor(tones.paler) - tone;
  const Tensor offset = frames - tone;
  const Tensor mix = ((offset * along).sum(1, true) / along.square().sum()).clamp(-.1, 1.1);
  const Tensor far = ((offset - mix * along).square().sum(1, true).sqrt() > kFarAway).to(at::kFloat);
  return at::avg_pool2d(far, {3, 3}, {1, 1}, {1, 1}).squeeze(1) > .5;
}

/// The palette's colour that most pixels of an object are nearest to. frames [9, 3, h, w].
ObjectColour read_colour(const Tensor& frames, const Track& track) {
  std::array<int, kChoiceNames<ObjectColour>.size()> votes{};
  const auto pixels = frames.accessor<float, 4>();
  for (size_t i = 0; i < track.size(); ++i) {
    if (!track[i]) continue;
    for (const Blob::Pixel& pixel : track[i]->pixels) {
      const auto distance_to = [&](size_t colour) {
        double sum = 0;
        for (int64_t c = 0; c < 3; ++c) {
          const double d = pixels[static_cast<int64_t>(i)][c][pixel.y][pixel.x] -
                           object_colour(static_cast<ObjectColour>(colour))[static_cast<size_t>(c)];
          sum += d * d;
        }
        return sum;
      };
      size_t nearest = 0;
      for (size_t colour = 1; colour < votes.size(); ++colour) {
        if (distance_to(colour) < distance_to(nearest)) nearest = colour;
      }
      ++votes[nearest];
    }
  }
  return static_cast<ObjectColour>(std::ranges::max_element(votes) - votes.begin());
}

/// The number of blobs that most frames have.
int usual_count(const std::vector<std::vector<Blob>>& blobs) {
  std::vector<int> frames_with(1);
  for (const auto& frame : blobs) {
    if (frames_with.size() <= frame.size()) frames_with.resize(frame.size() + 1);
    ++frames_with[frame.size()];
  }
  return static_cast<int>(std::ranges::max_element(frames_with) - frames_with.begin());
}

/// The `objects` largest blobs of every frame as tracks, the left object first.
std::vector<Track> tracks_of(const std::vector<std::vector<Blob>>& blobs, size_t objects) {
  std::vector<Track> tracks(objects, Track(blobs.size()));
  for (size_t i = 0; i < blobs.size(); ++i) {
    if (blobs[i].size() < objects) continue;
    std::vector<Blob> largest(blobs[i].begin(), blobs[i].begin() + static_cast<ptrdiff_t>(objects));
    std::ranges::sort(largest, {}, &Blob::x);
    for (size_t k = 0; k < objects; ++k) tracks[k][i] = largest[k];
  }
  return tracks;
}

std::vector<Blob> found_blobs(const Track& track) {
  std::vector<Blob> found;
  for (const auto& blob : track) {
    if (blob) found.push_back(*blob);
  }
  return found;
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

Tensor AttributeChecker::look(const Tensor& clip) {
  const Tensor index = at::linspace(0, static_cast<double>(clip.size(1) - 1), kFramesSeen, clip.device());
  const Tensor frames = clip.index_select(1, index.round().to(at::kLong)).to(at::kFloat).transpose(0, 1);
  return (at::avg_pool2d(frames.clamp(-1, 1), {kSeenScale, kSeenScale}) * .5 + .5).cpu();
}

SeenScene AttributeChecker::read(const Tensor& frames, ClipPart part) const {
  const SeenBackground under = backgrounds_(frames, part);
  SeenScene seen{.pattern = under.pattern, .background = under.colour, .camera = under.camera};
  const Tensor masks = object_masks(frames, seen.background);
  std::vector<std::vector<Blob>> blobs;
  for (int64_t i = 0; i < kFramesSeen; ++i) blobs.push_back(find_blobs(masks[i], kMinBlob));
  seen.count = usual_count(blobs);
  seen.steady =
      std::ranges::all_of(blobs, [&](const auto& frame) { return static_cast<int>(frame.size()) == seen.count; });
  for (const Track& track : tracks_of(blobs, static_cast<size_t>(std::min(seen.count, 2)))) {
    seen.objects.push_back(
        {.colour = read_colour(frames, track),
         .shape = shapes_(found_blobs(track)),
         .motion = read_motion(in_scene(track, under.shifts), static_cast<double>(frames.size(2)), part)});
  }
  return seen;
}

}  // namespace faststar
