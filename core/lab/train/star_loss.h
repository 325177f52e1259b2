#pragma once
#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

struct StarLossWeights {
  double image = 0.4;            ///< of the image clip's loss; the video clips share the rest
  double scale_exponent = 0.45;  ///< a scale of h x w tokens has weight (h w) ^ this, scaled to a sum of 1
  double object = 0;             ///< extra weight of a token where objects are, or were in the latent before
};

/// Where a transformer has to draw objects, or what they have just left: the largest coverage, 0..1, within each
/// feature and the one a latent frame before. `coverage` [B, 1, F, H, W] with F = 1 + 4 k -> [B, 1 + k, H/16, W/16].
Tensor objects_in_features(const Tensor& coverage);

/// Cross-entropy of the bits of one scale of one clip, a scalar: the mean over tokens, each with weight 1 + object *
/// the largest of `objects` [B, t, H, W] that it stands for. `logits`: differences of the two logits of every bit, and
/// `bits` bool, both [B, t h w, d].
Tensor scale_loss(const Tensor& logits, const Tensor& bits, const Scale& scale, const Tensor& objects, double object);

}  // namespace faststar
