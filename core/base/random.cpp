#include "core/base/random.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

constexpr int64_t kWord = 0xFFFFFFFF;

/// High and low 32 bits of word * multiplier. int64 wraps as uint64 does; the arithmetic shift is masked.
std::pair<Tensor, Tensor> multiply_words(const Tensor& word, int64_t multiplier) {
  const Tensor product = word * multiplier;
  return {product.__rshift__(32) & kWord, product & kWord};
}

}  // namespace

uint32_t stream_word(const RandomStep& step, RandomPurpose purpose) {
  return static_cast<uint32_t>(step.scale) << 16 | static_cast<uint32_t>(step.repetition) << 8 |
         static_cast<uint32_t>(purpose);
}

Tensor reference::philox_words(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d) {
  const Tensor block = at::arange(d / 4, tokens.options());
  Tensor c0 = (tokens & kWord).unsqueeze(1).expand({-1, d / 4});  // [N, d/4], one Philox block each
  Tensor c1 = block.unsqueeze(0).expand_as(c0);
  Tensor c2 = at::full_like(c0, static_cast<int64_t>(stream_word(step, purpose)));
  Tensor c3 = at::full_like(c0, static_cast<int64_t>(step.clip));
  int64_t key0 = static_cast<int64_t>(step.seed & kWord);
  int64_t key1 = static_cast<int64_t>(step.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto [high0, low0] = multiply_words(c0, 0xD2511F53);
    const auto [high1, low1] = multiply_words(c2, 0xCD9E8D57);
    c0 = high1 ^ c1 ^ key0;
    c2 = high0 ^ c3 ^ key1;
    c1 = low1;
    c3 = low0;
    key0 = (key0 + 0x9E3779B9) & kWord;
    key1 = (key1 + 0xBB67AE85) & kWord;
  }
  return at::stack({c0, c1, c2, c3}, -1).reshape({tokens.size(0), d});
}

Tensor reference::philox_uniform(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d) {
  return philox_words(step, purpose, tokens, d).__rshift__(8).to(at::kFloat) * (1.0f / 16777216.0f);
}

Tensor philox_uniform(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d) {
  TORCH_CHECK(d % 4 == 0 && tokens.dim() == 1 && tokens.scalar_type() == at::kLong,
              "philox_uniform: tokens [N] int64, d % 4 == 0");
  if (use_kernels(tokens)) {
    const Tensor dense = tokens.contiguous();
    Tensor uniform = at::empty({tokens.size(0), d}, tokens.options().dtype(at::kFloat));
    cuda::philox_uniform(uniform.data_ptr<float>(), dense.const_data_ptr<int64_t>(), tokens.size(0), d, step.seed,
                         stream_word(step, purpose), static_cast<uint32_t>(step.clip), kernel_stream({uniform, dense}));
    return uniform;
  }
  return reference::philox_uniform(step, purpose, tokens, d);
}

}  // namespace faststar
