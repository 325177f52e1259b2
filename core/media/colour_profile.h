#pragma once
// Included by sources of core/media only.
#include <array>
#include <string>
#include <string_view>

#include "core/base/tensor.h"
#include "core/media/ffmpeg.h"

namespace faststar {

/// `pixels`, uint8 [H, W, 3], whose colours are as the ICC profile `icc` says, in sRGB: the same as long as that
/// changes nothing by more than one level. Profiles of grey pictures are used, too. Those of other colours, and damaged
/// ones, are not, which a line about `file` says.
Tensor to_srgb(const Tensor& pixels, std::string_view icc, const std::string& file);

/// A space of RGB by the chromaticities (x, y) of its white and primaries.
struct RgbSpace {
  std::array<double, 2> white, red, green, blue;
  double gamma = 0;  ///< of its curve; 0: sRGB's curve
};

/// Its ICC profile; empty for a space that cannot be.
std::string profile_of(const RgbSpace& space);

/// The ICC profile of pictures that say their primaries by a code, where these are wider than sRGB's (Display P3 and
/// BT.2020), with sRGB's curve; empty for others.
std::string profile_of_primaries(AVColorPrimaries primaries);

}  // namespace faststar
