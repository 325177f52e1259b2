#include "core/lab/evaluate/attributes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "core/lab/world/palette.h"

namespace faststar {
namespace {

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
  std::array<int, Choices<ObjectColour>::names.size()> votes{};
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

/// True when `same` holds for every asked object and the seen one at its place.
template <typename Same>
bool objects_agree(const SeenScene& seen, const ClipRecord& asked, Same&& same) {
  if (asked.objects.size() == 1) {
    return std::ranges::any_of(seen.objects, [&](const SeenObject& object) { return same(object, asked.objects[0]); });
  }
  return seen.count == static_cast<int>(asked.objects.size()) &&
         std::ranges::equal(seen.objects, asked.objects, [&](const auto& a, const auto& b) { return same(a, b); });
}

}  // namespace

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
         .shape = outlines_(found_blobs(track)),
         .motion = read_motion(in_scene(track, under.shifts), static_cast<double>(frames.size(2)), part)});
  }
  return seen;
}

AttributeScore score_attributes(const SeenScene& seen, const ClipRecord& asked) {
  return {.background = seen.pattern == asked.pattern && seen.background == asked.background,
          .camera = seen.camera == asked.camera,
          .count = seen.count == static_cast<int>(asked.objects.size()),
          .colour = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.colour == b.colour; }),
          .shape = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.shape == b.shape; }),
          .motion = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.motion == b.motion; }),
          .steady = seen.steady};
}

}  // namespace faststar
