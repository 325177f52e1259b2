#pragma once
#include "core/tensor.h"

namespace faststar {

/// Classifier-free guidance, or adaptive projected guidance (APG, arXiv:2410.02416).
enum class GuidanceMethod { apg, cfg };

struct GuidanceSettings {
  GuidanceMethod method = GuidanceMethod::apg;
  double scale = 34;             ///< 1 = no guidance
  double norm_threshold = 0.05;  ///< APG: largest root mean square of the difference; <= 0 leaves it as it is
};

/// Joins the logits of the two guidance rows, after tau. cond, uncond [..., L, 2 d] float32 -> the same shape.
/// APG takes norms and the projection over the whole scale (infinity/models/apg.py, normalized_guidance, eta 0).
Tensor guide(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings);

}  // namespace faststar
