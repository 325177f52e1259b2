#pragma once
#include "core/base/tensor.h"
#include "core/model/reduce/settings.h"

namespace faststar {

/// Codes and where they count.
struct MaskedCodes {
  Tensor codes;         ///< [1, d, t, h, w] float32, zero where nothing was drawn
  Tensor token_mask;    ///< [t, h, w] uint8
  Tensor feature_mask;  ///< [t, H, W] uint8
};

/// The accumulated features with the codes upsampled and added where the feature mask is 1 (FastSTAR, equation 9).
/// Elsewhere every bit of `summed` [1, 64, t, H, W] float32 stays. `normalized` divides by the upsampled token mask (at
/// least 0.25), so that codes beside pruned tokens are not weakened; `nn_fill` gives pruned tokens the nearest drawn
/// code first. Unless `normalized`, with both masks all ones this is summed + upsample_codes(codes), bit by bit.
Tensor partial_update(const Tensor& summed, const MaskedCodes& update, UpdateBoundary boundary);

namespace reference {
Tensor partial_update(const Tensor& summed, const MaskedCodes& update, UpdateBoundary boundary);
}

}  // namespace faststar
