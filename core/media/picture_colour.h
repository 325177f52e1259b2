#pragma once
// Included by sources of core/media only.
#include <optional>
#include <string_view>

#include "core/media/colour_profile.h"
#include "core/media/ffmpeg.h"

/// What is written of colours and the shape of pixels in the bytes of picture files, and FFmpeg does not hand on.
namespace faststar::picture_file {

/// The codes of a PNG's cICP chunk; nothing without. Source: ITU-T H.273, tables 2 and 3.
struct ColourCodes {
  AVColorPrimaries primaries;
  AVColorTransferCharacteristic transfer;
};
std::optional<ColourCodes> colour_codes(std::string_view file);

/// The space that a picture without ICC profile says it is in: gAMA and cHRM of a PNG, AdobeRGB in a photograph's EXIF
/// data. Nothing for sRGB, and for a file that says nothing. Source: PNG 11.3.2; DCF 2.0 (option file).
std::optional<RgbSpace> colour_space(std::string_view file);

/// A pixel's width to its height by the resolution of a PNG (pHYs) or JPEG (JFIF) in pixels per unit of length, of
/// which FFmpeg takes the inverse; nothing where it is in no unit.
std::optional<AVRational> pixel_shape(std::string_view file);

}  // namespace faststar::picture_file
