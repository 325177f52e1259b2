#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// The accumulated features with codes upsampled and added where the feature mask is 1 (FastSTAR, equation 9).
/// Elsewhere every bit of `summed` [1, 64, t, H, W] float32 stays. codes [1, d, t, h, w] float32, zero where nothing
/// was drawn; feature_mask [t, H, W] uint8. With a mask of ones this is summed + upsample_codes(codes), bit by bit.
Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask);

namespace reference {
Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask);
}

}  // namespace faststar
