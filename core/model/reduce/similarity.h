#pragma once
#include "core/base/tensor.h"
#include "core/model/reduce/settings.h"

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

namespace reference {
SimilarityScore similarity_score(const SimilarityMaps& maps, NormDegree p);
}

}  // namespace faststar
