#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "core/media/resize.h"

namespace faststar {

using Colour = std::array<uint8_t, 3>;  // RGB

/// A point of a picture, in pixels from its top left.
struct Point {
  int64_t x = 0;
  int64_t y = 0;
};

/// A picture to draw on. Drawing is clipped to it.
class Canvas {
 public:
  /// uint8 [size.height, size.width, 3], filled with `background`.
  Canvas(PixelSize size, Colour background);

  void fill(Point top_left, PixelSize size, Colour colour);
  /// `picture`: uint8 [H, W, 3].
  void paste(Point top_left, const Tensor& picture);
  /// One line in a font of 5 x 8 dots, each `dot` pixels wide; a character that the font lacks is a gap.
  void write(Point top_left, std::string_view text, Colour colour, int64_t dot);

  const Tensor& pixels() const { return pixels_; }

 private:
  Tensor pixels_;
};

/// Size of a line of `characters` drawn with Canvas::write.
PixelSize text_size(size_t characters, int64_t dot);

}  // namespace faststar
