#pragma once
#include "core/base/tensor.h"
#include "core/model/reduce/settings.h"

/// FastSTAR (arXiv:2603.07192): how tokens are scored, and the partial update. Which tokens are kept: selection.h.
namespace faststar {

/// Feature maps that a position's score is computed from.
struct SimilarityMaps {
  Tensor current;    ///< [1, 64, T, H, W] float32
  Tensor previous;   ///< the same position earlier in the clip: [1, 64, T, H, W]; undefined: no spatial term
  Tensor reference;  ///< another clip: [1, 64, T', H, W], frame min(t, T' - 1); undefined: no temporal term
};

/// [T, H, W] float32 each.
struct SimilarityScore {
  Tensor spatial;   ///< cosine of current and previous over the channels; undefined without that term
  Tensor temporal;  ///< cosine of current and reference
  Tensor score;  ///< sum of max(1 - S, 0)^p over the terms, their maximum for infinity; no root, as only order matters
};

/// Spatial and temporal similarity and their fusion (FastSTAR, equations 5 to 7). Norms below 1e-8 count as zero: two
/// zero vectors have similarity 1, one has 0. Every device gives the same bits: float32, channels summed 0 to 63 in
/// order with one rounding a multiply-add, correctly rounded roots and quotients. At least one term is defined.
SimilarityScore similarity_score(const SimilarityMaps& maps, NormDegree p);

/// The accumulated features with codes upsampled and added where the feature mask is 1 (FastSTAR, equation 9).
/// Elsewhere every bit of `summed` [1, 64, t, H, W] float32 stays. codes [1, d, t, h, w] float32, zero where nothing
/// was drawn; feature_mask [t, H, W] uint8. With a mask of ones this is summed + upsample_codes(codes), bit by bit.
Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask);

namespace reference {
SimilarityScore similarity_score(const SimilarityMaps& maps, NormDegree p);
Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask);
}  // namespace reference

}  // namespace faststar
