#include "core/media/picture_colour.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/media/picture_file.h"

namespace faststar::picture_file {
namespace {

constexpr RgbSpace kSrgb = {
    .white = {0.3127, 0.3290}, .red = {0.64, 0.33}, .green = {0.30, 0.60}, .blue = {0.15, 0.06}};
constexpr RgbSpace kAdobeRgb = {
    .white = {0.3127, 0.3290}, .red = {0.64, 0.33}, .green = {0.21, 0.71}, .blue = {0.15, 0.06}, .gamma = 563 / 256.0};

/// The body of a PNG's first chunk of this type; nothing without.
std::optional<std::string_view> png_chunk(std::string_view file, std::string_view type) {
  if (!is_png(file)) return std::nullopt;
  const auto chunks = png_chunks(file);
  const auto found = std::ranges::find(chunks, type, &Part::type);
  return found == chunks.end() ? std::nullopt : std::optional(found->body);
}

/// PNG stores numbers of colours times 100,000.
double stored_fraction(std::string_view body, size_t index) {
  return static_cast<double>(big_endian(from(body, 4 * index), 4)) * 1e-5;
}

bool is_near(const RgbSpace& a, const RgbSpace& b) {
  constexpr double kRounding = 0.002;
  const auto near = [](const std::array<double, 2>& p, const std::array<double, 2>& q) {
    return std::abs(p[0] - q[0]) < kRounding && std::abs(p[1] - q[1]) < kRounding;
  };
  return near(a.white, b.white) && near(a.red, b.red) && near(a.green, b.green) && near(a.blue, b.blue);
}

std::optional<RgbSpace> space_of_png(std::string_view file) {
  const auto gamma = png_chunk(file, "gAMA"), points = png_chunk(file, "cHRM");
  if (png_chunk(file, "sRGB") || (!gamma && !points)) return std::nullopt;
  RgbSpace space = kSrgb;
  if (points && points->size() == 32) {
    const auto point = [&](size_t i) {
      return std::array{stored_fraction(*points, 2 * i), stored_fraction(*points, 2 * i + 1)};
    };
    space = {.white = point(0), .red = point(1), .green = point(2), .blue = point(3)};
  }
  constexpr double kGammaOfSrgb = 0.45455, kRounding = 0.005, kLeast = 0.1, kMost = 10;
  const double encoding = gamma ? stored_fraction(*gamma, 0) : kGammaOfSrgb;
  if (encoding < kLeast || encoding > kMost) return std::nullopt;
  const bool is_usual = std::abs(encoding - kGammaOfSrgb) < kRounding;
  if (is_usual && is_near(space, kSrgb)) return std::nullopt;
  if (gamma) space.gamma = 1 / encoding;
  return space;
}

/// A camera set to AdobeRGB embeds no profile: it says that the space is none of the usual, and names this one.
bool is_adobe_rgb(std::string_view exif) {
  constexpr uint64_t kExif = 0x8769, kColourSpace = 0xa001, kInterop = 0xa005, kIndex = 1, kUncalibrated = 0xffff;
  const Tiff tiff(exif);
  const auto details = tiff.value(kExif);
  if (!details || tiff.value(kColourSpace, *details) != kUncalibrated) return false;
  const auto interop = tiff.value(kInterop, *details);
  return interop && tiff.short_text(kIndex, *interop) == "R03";
}

}  // namespace

std::optional<ColourCodes> colour_codes(std::string_view file) {
  const auto body = png_chunk(file, "cICP");
  if (!body || body->size() != 4) return std::nullopt;
  const auto code = [&](size_t i) { return static_cast<uint8_t>((*body)[i]); };
  return ColourCodes{static_cast<AVColorPrimaries>(code(0)), static_cast<AVColorTransferCharacteristic>(code(1))};
}

std::optional<RgbSpace> colour_space(std::string_view file) {
  if (is_png(file)) return space_of_png(file);
  return is_adobe_rgb(exif(file)) ? std::optional(kAdobeRgb) : std::nullopt;
}

std::optional<AVRational> pixel_shape(std::string_view file) {
  std::optional<std::string_view> body = png_chunk(file, "pHYs");
  size_t size = 4;
  bool has_unit = body && body->size() == 9 && body->back() == 1;
  if (is_jpeg(file)) {
    const auto segments = jpeg_segments(file);
    const auto jfif = std::ranges::find_if(segments, [](const Part& part) {
      return part.type == "\xe0" && part.body.starts_with(std::string_view("JFIF\0", 5)) && part.body.size() >= 12;
    });
    has_unit = jfif != segments.end() && (jfif->body[7] == 1 || jfif->body[7] == 2);
    if (has_unit) body = jfif->body.substr(8);
    size = 2;
  }
  if (!has_unit) return std::nullopt;
  constexpr uint64_t kMost = INT32_MAX;
  const uint64_t across = big_endian(*body, size), down = big_endian(from(*body, size), size);
  if (across == 0 || down == 0 || across > kMost || down > kMost) return AVRational{1, 1};
  return AVRational{static_cast<int>(down), static_cast<int>(across)};
}

}  // namespace faststar::picture_file
