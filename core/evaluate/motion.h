#pragma once
#include <optional>
#include <vector>

#include "core/evaluate/blobs.h"
#include "core/world/scene.h"

namespace faststar {

/// Which two seconds of a clip are looked at: things slow down in the second half of a long one
/// (core/world/trajectory.h).
enum class ClipHalf { first, second };

/// One object at evenly spaced times over two seconds; nothing where it was not found.
using Track = std::vector<std::optional<Blob>>;

/// How the object moves; none when it was found in fewer than two thirds of the frames. frame_height is in pixels
/// of the blobs.
std::optional<Motion> read_motion(const Track& track, double frame_height, ClipHalf half);

}  // namespace faststar
