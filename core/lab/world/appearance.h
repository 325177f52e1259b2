#pragma once
#include <array>

#include "core/base/tensor.h"
#include "core/lab/world/scene.h"

/// What the kinds of a scene look like: colours, outlines of shapes, patterns of backgrounds.
namespace faststar {

using Rgb = std::array<float, 3>;  ///< 0..1

/// The colour of an object where light neither brightens nor darkens it.
Rgb object_colour(ObjectColour colour);

/// The two tones of a background; patterns run from the first to the paler second.
struct BackgroundTones {
  Rgb tone;
  Rgb paler;
};
BackgroundTones background_tones(BackgroundColour colour);

/// Tables of shapes reach this far from the centre in every direction; no shape of radius 1 does.
inline constexpr double kShapeReach = 1.5;

/// Signed distances to the outlines of all shapes at radius 1, negative inside, in the order of Shape:
/// [shapes, 1, size, size] float32 on the CPU; row and column i are at (2 i / (size - 1) - 1) kShapeReach,
/// y down. Exact for ball and ring, elsewhere near the outline and too small in magnitude beyond corners.
Tensor shape_distances(int64_t size);

/// Pixels along x after which every pattern repeats itself.
inline constexpr int64_t kPatternPeriod = 672;

/// All background patterns in the order of Pattern: [patterns, kWorldHeight, kPatternPeriod] float32 on the CPU; 0 is a
/// background's first tone, 1 its paler one. Edges lie on multiples of 48 pixels, three latent positions, where a
/// pattern has straight upright ones.
Tensor background_patterns();

}  // namespace faststar
