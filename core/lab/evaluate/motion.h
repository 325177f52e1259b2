#pragma once
#include <optional>
#include <vector>

#include "core/lab/evaluate/blobs.h"
#include "core/lab/world/scene.h"

namespace faststar {

/// The part of a clip that is checked: its first second, or a half of four. Objects slow down in the second half
/// (core/lab/world/trajectory.h).
enum class ClipPart { first_second, first_half, second_half };

/// The evenly spaced frames of a part that are checked.
inline constexpr int64_t kFramesSeen = 9;
struct SeenFrames {
  int64_t first = 0;
  int64_t step = 4;
};
SeenFrames frames_of(ClipPart part);

/// One object in each of those frames; nullopt where it was not found.
using Track = std::vector<std::optional<Blob>>;

/// How the object moves; nullopt when it was found in fewer than two thirds of the frames. frame_height is in pixels
/// of the blobs.
std::optional<Motion> read_motion(const Track& track, double frame_height, ClipPart part);

}  // namespace faststar
