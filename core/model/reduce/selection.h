#pragma once
#include "core/model/reduce/reduction.h"

/// From scores to the tokens that a pass keeps.
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

namespace reference {
Selection select_top(const Ranking& ranking, int64_t keep);
}

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

}  // namespace faststar
