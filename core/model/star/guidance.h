#pragma once
#include "core/base/random.h"
#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

/// From the logits of the guidance batch to bits.
namespace faststar {

/// Classifier-free guidance, or adaptive projected guidance (APG, arXiv:2410.02416).
enum class GuidanceMethod { apg, cfg };

/// Which passes of the video clips run the conditional row alone: none (the official code); every repetition after a
/// scale's first; every pass of the last scales; both of these.
enum class GuidanceReuse { none, repetitions, late, full };

struct GuidanceReuseSettings {
  GuidanceReuse passes = GuidanceReuse::none;
  ScaleChoice scales;  ///< of `late` and `full`
  double weight = 1;   ///< of what guidance added in the newest pass with both rows; 0: the conditional logits alone
};

struct GuidanceSettings {
  GuidanceMethod method = GuidanceMethod::apg;
  double scale = 34;             ///< 1 = no guidance
  double norm_threshold = 0.05;  ///< APG: largest root mean square of the difference; <= 0 leaves it as it is
  GuidanceReuseSettings reuse;
};

/// Joins the logits of the two guidance rows, after tau. cond, uncond [..., L, 2 d] float32 -> the same shape.
/// APG takes norms and the projection over the whole scale (infinity/models/apg.py, normalized_guidance, eta 0).
Tensor guide(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings);

/// What APG measures over the tokens of a scale: neither grows with their number.
struct ApgMeasures {
  Tensor limit;  ///< factor that the difference is scaled with, at most 1
  Tensor along;  ///< share of the conditional logits in the scaled difference
};
ApgMeasures measure_apg(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings);

/// APG with what was measured over other tokens.
Tensor guide_as_measured(const Tensor& cond, const Tensor& uncond, const GuidanceSettings& settings,
                         const ApgMeasures& measures);

/// philox: draws keyed by position (core/base/random.h). greedy: the more probable bit, 0 on a tie.
enum class Sampling { philox, greedy };

/// Guided logits -> bits. logits [L, 2 d] float32 -> [L, d] uint8; bit j is 1 with probability
/// sigmoid(logit 2j+1 - logit 2j). tokens [L] int64: the numbers of some tokens of a scale, so that each draws what it
/// would draw among all; undefined: 0 to L - 1.
Tensor sample_bits(const Tensor& logits, Sampling sampling, const RandomStep& step, const Tensor& tokens = {});

}  // namespace faststar
