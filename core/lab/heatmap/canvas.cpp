#include "core/lab/heatmap/canvas.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace faststar {
namespace {

constexpr int64_t kGlyphColumns = 5;
constexpr int64_t kGlyphRows = 8;  // the last one for descenders

/// Rows from the top; the lowest five bits are dots, the highest of them leftmost.
using Glyph = std::array<uint8_t, kGlyphRows>;

struct FontEntry {
  char character;
  Glyph glyph;
};

// clang-format off
constexpr FontEntry kFont[] = {
    {'%', {0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011, 0b00000}},
    {'(', {0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010, 0b00000}},
    {')', {0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000, 0b00000}},
    {'+', {0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000, 0b00000}},
    {',', {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b00100, 0b01000}},
    {'-', {0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000, 0b00000}},
    {'.', {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100, 0b00000}},
    {'/', {0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000, 0b00000}},
    {'0', {0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110, 0b00000}},
    {'1', {0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110, 0b00000}},
    {'2', {0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111, 0b00000}},
    {'3', {0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110, 0b00000}},
    {'4', {0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010, 0b00000}},
    {'5', {0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110, 0b00000}},
    {'6', {0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110, 0b00000}},
    {'7', {0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00000}},
    {'8', {0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110, 0b00000}},
    {'9', {0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100, 0b00000}},
    {':', {0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00000, 0b00000}},
    {'=', {0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000}},
    {'a', {0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111, 0b00000}},
    {'b', {0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b11110, 0b00000}},
    {'c', {0b00000, 0b00000, 0b01110, 0b10000, 0b10000, 0b10001, 0b01110, 0b00000}},
    {'d', {0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10001, 0b01111, 0b00000}},
    {'e', {0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110, 0b00000}},
    {'f', {0b00110, 0b01001, 0b01000, 0b11100, 0b01000, 0b01000, 0b01000, 0b00000}},
    {'g', {0b00000, 0b00000, 0b01111, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110}},
    {'h', {0b10000, 0b10000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001, 0b00000}},
    {'i', {0b00100, 0b00000, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110, 0b00000}},
    {'j', {0b00010, 0b00000, 0b00110, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100}},
    {'k', {0b10000, 0b10000, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b00000}},
    {'l', {0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110, 0b00000}},
    {'m', {0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10001, 0b10001, 0b00000}},
    {'n', {0b00000, 0b00000, 0b10110, 0b11001, 0b10001, 0b10001, 0b10001, 0b00000}},
    {'o', {0b00000, 0b00000, 0b01110, 0b10001, 0b10001, 0b10001, 0b01110, 0b00000}},
    {'p', {0b00000, 0b00000, 0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000}},
    {'q', {0b00000, 0b00000, 0b01111, 0b10001, 0b10001, 0b01111, 0b00001, 0b00001}},
    {'r', {0b00000, 0b00000, 0b10110, 0b11001, 0b10000, 0b10000, 0b10000, 0b00000}},
    {'s', {0b00000, 0b00000, 0b01110, 0b10000, 0b01110, 0b00001, 0b11110, 0b00000}},
    {'t', {0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110, 0b00000}},
    {'u', {0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b10011, 0b01101, 0b00000}},
    {'v', {0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100, 0b00000}},
    {'w', {0b00000, 0b00000, 0b10001, 0b10001, 0b10101, 0b10101, 0b01010, 0b00000}},
    {'x', {0b00000, 0b00000, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b00000}},
    {'y', {0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110}},
    {'z', {0b00000, 0b00000, 0b11111, 0b00010, 0b00100, 0b01000, 0b11111, 0b00000}},
};
// clang-format on

/// The dots of a digit, a lower-case letter or one of ".,:%/()=-+"; empty for any other character.
Glyph glyph_of(char character) {
  const auto* const found = std::find_if(std::begin(kFont), std::end(kFont),
                                         [character](const FontEntry& e) { return e.character == character; });
  return found == std::end(kFont) ? Glyph{} : found->glyph;
}

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
