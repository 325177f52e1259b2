#pragma once
#include <array>
#include <cstdint>

namespace faststar {

inline constexpr int64_t kGlyphColumns = 5;
inline constexpr int64_t kGlyphRows = 8;  // the last one for descenders

/// Rows from the top; the lowest five bits are dots, the highest of them leftmost.
using Glyph = std::array<uint8_t, kGlyphRows>;

/// The dots of a digit, a lower-case letter or one of ".,:%/()=-+"; empty for any other character.
Glyph glyph_of(char character);

}  // namespace faststar
