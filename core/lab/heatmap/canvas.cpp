#include "core/lab/heatmap/canvas.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/lab/heatmap/dot_font.h"

namespace faststar {
namespace {

constexpr int64_t kAdvance = kGlyphColumns + 1;  // dots from one character to the next

Tensor as_tensor(Colour colour) { return at::tensor(at::ArrayRef<uint8_t>(colour.data(), colour.size()), at::kByte); }

/// The part of a picture [size] at `top_left` that lies on `pixels`; empty extents when none does.
struct Overlap {
  Overlap(const Tensor& pixels, Point top_left, PixelSize size)
      : x(std::max<int64_t>(top_left.x, 0)),
        y(std::max<int64_t>(top_left.y, 0)),
        width(std::max<int64_t>(std::min(top_left.x + size.width, pixels.size(1)) - x, 0)),
        height(std::max<int64_t>(std::min(top_left.y + size.height, pixels.size(0)) - y, 0)) {}
  int64_t x, y, width, height;
};

}  // namespace

Canvas::Canvas(PixelSize size, Colour background)
    : pixels_(as_tensor(background).expand({size.height, size.width, 3}).contiguous()) {}

void Canvas::fill(Point top_left, PixelSize size, Colour colour) {
  paste(top_left, as_tensor(colour).expand({size.height, size.width, 3}));
}

void Canvas::paste(Point top_left, const Tensor& picture) {
  const Overlap on(pixels_, top_left, {picture.size(0), picture.size(1)});
  if (on.width == 0 || on.height == 0) return;
  const Tensor seen = picture.narrow(0, on.y - top_left.y, on.height).narrow(1, on.x - top_left.x, on.width);
  pixels_.narrow(0, on.y, on.height).narrow(1, on.x, on.width).copy_(seen);
}

void Canvas::write(Point top_left, std::string_view text, Colour colour, int64_t dot) {
  for (const char character : text) {
    const Glyph glyph = glyph_of(character);
    for (int64_t row = 0; row < kGlyphRows; ++row) {
      for (int64_t column = 0; column < kGlyphColumns; ++column) {
        const bool is_set = (glyph[static_cast<size_t>(row)] >> (kGlyphColumns - 1 - column) & 1) != 0;
        if (is_set) fill({top_left.x + column * dot, top_left.y + row * dot}, {dot, dot}, colour);
      }
    }
    top_left.x += kAdvance * dot;
  }
}

PixelSize text_size(size_t characters, int64_t dot) {
  return {kGlyphRows * dot, std::max<int64_t>(static_cast<int64_t>(characters) * kAdvance - 1, 0) * dot};
}

}  // namespace faststar
