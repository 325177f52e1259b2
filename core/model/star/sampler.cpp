#include "core/model/star/sampler.h"

#include <ATen/ATen.h>

namespace faststar {

Tensor sample_bits(const Tensor& logits, Sampling sampling, const RandomStep& step) {
  return sample_bits(logits, at::arange(logits.size(0), logits.options().dtype(at::kLong)), sampling, step);
}

Tensor sample_bits(const Tensor& logits, const Tensor& tokens, Sampling sampling, const RandomStep& step) {
  const Tensor pairs = logits.unflatten(-1, {logits.size(-1) / 2, 2});
  const Tensor zero = pairs.select(-1, 0);  // [L, d]
  const Tensor one = pairs.select(-1, 1);
  if (sampling == Sampling::greedy) return one.gt(zero).to(at::kByte);
  const Tensor uniform = philox_uniform(step, RandomPurpose::bits, tokens, zero.size(-1));
  return uniform.lt((one - zero).sigmoid()).to(at::kByte);
}

}  // namespace faststar
