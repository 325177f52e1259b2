#pragma once
#include "core/model/reduce/reduction.h"

/// Which tokens are dropped: from scores to the tokens that a pass keeps, and between the positions of the feature map
/// and the tokens of a coarser scale. Frames are the same on both sides.
namespace faststar {

/// What orders tokens: the primary score where there is one, then the score, then a random word keyed by position, then
/// the index. A strict total order: the result depends on no sorting algorithm.
struct Ranking {
  Tensor score;          ///< [N] float32; NaN counts as infinity
  Tensor primary = {};   ///< [N] float32, or undefined
  RandomStep step = {};  ///< keys the random words
};

struct Selection {
  Tensor kept;  ///< [K] int64, ascending
  Tensor mask;  ///< [N] uint8, 1 where kept
};

/// The `keep` tokens that rank highest, 0 <= keep <= N.
Selection select_top(const Ranking& ranking, int64_t keep);

/// The tokens that a mask [N] uint8 marks, ascending: [K] int64. Waits for the device, as K is not known before.
Tensor marked_tokens(const Tensor& mask);

/// The tokens of the highest scores, as many as the gate says. score [t, h, w].
Selection select_tokens(const ReductionContext& context, const Step& step, const Tensor& score);

/// Nothing is pruned before the backbone and every position is updated: for methods that reduce single layers.
ReductionPlan all_tokens(const ReducedPass& pass);

/// Keeps the tokens of the highest scores; the accumulated features change at the positions that they cover. score [t,
/// h, w].
ReductionPlan choose_tokens(const ReductionContext& context, const ReducedPass& pass, const Tensor& score);

/// Marks the positions of the highest scores, then turns the mask into one of tokens as faststar.mask_down says
/// (FastSTAR, equation 8). score [T, H, W].
ReductionPlan choose_positions(const ReductionContext& context, const ReducedPass& pass, const Tensor& score);

/// The plan that keeps what a token mask [t, h, w] marks. Waits for the device.
ReductionPlan keep_marked(const ReducedPass& pass, const Tensor& token_mask);

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
Selection select_top(const Ranking& ranking, int64_t keep);
Tensor area_mean(const Tensor& map, const Scale& grid);
}  // namespace reference

}  // namespace faststar
