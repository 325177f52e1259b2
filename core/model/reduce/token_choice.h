#pragma once
#include "core/model/reduce/selection.h"
#include "core/model/reduce/token_reducer.h"

/// From scores to the tokens that a pass keeps, with the counts of the gate.
namespace faststar {

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
