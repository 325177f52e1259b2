#pragma once
#include <array>

#include "core/lab/world/scene.h"

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

}  // namespace faststar
