#pragma once
#include "core/base/random.h"
#include "core/base/tensor.h"

namespace faststar {

/// philox: draws keyed by position (core/base/random.h). greedy: the more probable bit, 0 on a tie.
enum class Sampling { philox, greedy };

/// Guided logits -> bits. logits [L, 2 d] float32 -> [L, d] uint8; bit j is 1 with probability
/// sigmoid(logit 2j+1 - logit 2j).
Tensor sample_bits(const Tensor& logits, Sampling sampling, const RandomStep& step);

/// The same for some tokens of a scale: `tokens` [L] int64 are their numbers, so that each draws what it would draw
/// among all.
Tensor sample_bits(const Tensor& logits, const Tensor& tokens, Sampling sampling, const RandomStep& step);

}  // namespace faststar
