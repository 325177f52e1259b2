#pragma once
#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

/// Between the positions of the feature map and the tokens of a coarser scale; frames are the same on both sides.
namespace faststar {

/// Means over the cells that tokens cover (adaptive pooling): map [T, H, W] float32 -> [T, h, w]. A cell is summed
/// row by row, so that every device gives the same bits.
Tensor area_mean(const Tensor& map, const Scale& grid);

/// How a position is picked for a token: torch's `nearest` and `nearest-exact`.
enum class Nearest { corner, centre };
/// The position that stands for each token: map [T, H, W] -> [T, h, w].
Tensor pick_positions(const Tensor& map, const Scale& grid, Nearest nearest);

/// The token that covers each position's centre: map [T, h, w] -> [T, H, W].
Tensor spread_tokens(const Tensor& map, const Scale& full);

/// For each token the nearest marked one of its frame, by distance on (row, column), the lower index on a tie; for a
/// frame without any, that of the nearest frame. mask [T, h, w] uint8 with at least one mark -> [T h w] int64.
Tensor nearest_marked(const Tensor& mask);

namespace reference {
Tensor area_mean(const Tensor& map, const Scale& grid);
}

}  // namespace faststar
