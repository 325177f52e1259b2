#pragma once
#include "core/base/tensor.h"

namespace faststar {

struct VaeLossWeights {
  double object = 1.5;               ///< extra weight of a pixel that objects cover
  double near_object = 0;            ///< extra weight within 4 pixels and 4 frames, a latent, of such a pixel: halos
  double squared = 1;                ///< squared differences: the larger, the more the worst pixels count
  double spatial_gradient = 0.5;     ///< differences of neighbouring pixels: edges
  double temporal_difference = 0.2;  ///< differences of neighbouring frames: motion
  double pooled = 0.5;               ///< 4x4 means: colour of areas
  double commitment = 0.5;           ///< distance of features and their quantised form
};

/// The reconstruction loss of decoded against true pixels [B, 3, F, H, W], F > 1; coverage [B, 1, F, H, W] in 0..1.
/// With d = decoded - true and w = 1 + object * coverage + near_object * (largest coverage nearby): mean
/// w (sqrt(d^2 + 1e-6) + squared * d^2) + spatial_gradient * mean w |spatial differences of d| + temporal_difference *
/// mean w |temporal ones| + pooled * mean |4x4-pooled d|. Returns a scalar. Source: embedded-model.md, section 4, which
/// has squared = 1 and near_object = 0.
Tensor reconstruction_loss(const Tensor& decoded, const Tensor& pixels, const Tensor& coverage,
                           const VaeLossWeights& weights);

}  // namespace faststar
