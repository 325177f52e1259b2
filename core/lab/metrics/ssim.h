#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Structural similarity of each frame, in [-1, 1], 1 for equal frames: the mean over colours and over all places
/// where the whole 11x11 Gaussian window (sigma 1.5) lies inside; K1 = 0.01, K2 = 0.03, range 255.
/// a, b: uint8, or floating point in levels 0 to 255, [F, H, W, C], one shape and device, H and W at least 11.
/// Returns float64 [F] on the CPU. Throws Error(input) when the shapes differ or the frames are smaller.
/// Source: Wang et al. 2004; as scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5,
/// use_sample_covariance=False, data_range=255.
Tensor frame_ssim(const Tensor& a, const Tensor& b);

}  // namespace faststar
