#pragma once
// Included by sources of core/media only.
#include "core/base/tensor.h"
#include "core/media/ffmpeg.h"
#include "core/media/resize.h"

namespace faststar {

/// The size of a stored picture with square pixels: the width changes, as players do. `shape` is a pixel's width to its
/// height; unknown or absurd ones count as square.
PixelSize square_size(PixelSize stored, AVRational shape);

/// `pixels` [H, W, 3], stored with pixels of `shape`, resized to square_size().
Tensor with_square_pixels(const Tensor& pixels, AVRational shape);

}  // namespace faststar
