#pragma once
#include "core/media/resize.h"

namespace faststar {

/// Size of the picture that side_by_side makes of two of this size.
PixelSize side_by_side_size(PixelSize frame);

/// `a` left and `b` right (uint8 [H, W, 3] each, one shape), a dark gap between them; uint8
/// [side_by_side_size, 3], both sides even as H.264 wants them.
Tensor side_by_side(const Tensor& a, const Tensor& b);

}  // namespace faststar
