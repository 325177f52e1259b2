#pragma once
#include "core/lab/heatmap/canvas.h"

namespace faststar {

/// What pruned places look like: dark, and of a tint that dark places of a video rarely have.
inline constexpr Colour kPruned = {46, 34, 84};

/// `score` (float32 [h, w]) as colours from 0 to `most`, laid over a grey `frame` (uint8 [H, W, 3]), a block a place.
/// uint8 [H, W, 3].
Tensor score_panel(const Tensor& frame, const Tensor& score, double most);

/// `frame` (uint8 [H, W, 3]) as it is where `mask` (uint8 [h, w]) is 1, grey and tinted with kPruned elsewhere. uint8
/// [H, W, 3].
Tensor mask_panel(const Tensor& frame, const Tensor& mask);

}  // namespace faststar
