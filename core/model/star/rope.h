#pragma once
#include <vector>

#include "core/model/layers.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

/// Where the tokens of one pass stand on the four RoPE axes (scale, frame, height, width).
struct RopePositions {
  int scale = 0;            ///< kVisualScaleStart + global repetition, or a text position
  std::vector<int> frames;  ///< absolute latent frame of each t
  Scale grid;               ///< t x h x w tokens of the pass
  Scale full;               ///< rows and columns are counted on this grid
};

/// begin, begin + 1, ..., end - 1.
std::vector<int> consecutive(int begin, int end);

/// Visual scale positions start behind the longest text.
inline constexpr int kVisualScaleStart = 512;

/// Rows or columns `size` of a coarse grid on a grid of `full`: float32 product, halves to even.
std::vector<int> positions_on_full_grid(int size, int full);

/// Rotations of a grid of visual tokens, in (t, h, w) order.
/// Source: get_visual_rope_embeds and precompute_rope4d_freqs_grid of infinity/models/rope.py.
Rope visual_rope(const RopePositions& positions, int64_t head_dim, at::Device device);

/// The rotations of some tokens, in the order of `tokens` [K] int64: they keep their places on the full grid.
Rope gather_rope(const Rope& rope, const Tensor& tokens);

/// Rotations of text tokens 0 .. length-1: the position is on the scale axis, zero on the others.
Rope text_rope(int64_t length, int64_t head_dim, at::Device device);

}  // namespace faststar
