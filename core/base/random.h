#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// How many seeds there are: 0 to kSeeds - 1.
inline constexpr int64_t kSeeds = int64_t{1} << 32;

/// One pass of one scale. Each has random numbers of its own. `scale` is the absolute scale index.
struct RandomStep {
  uint64_t seed = 0;
  int clip = 0;
  int scale = 0;
  int repetition = 0;
};

/// What the numbers are for. Streams of different purposes never overlap.
enum class RandomPurpose : uint32_t {
  bits = 0,
  random_mask = 1,
  tie_break = 2,
  merge_destination = 3,
  training_noise = 4,
};

/// The third word of the Philox counter of a pass and a purpose: scale<<16 | repetition<<8 | purpose.
uint32_t stream_word(const RandomStep& step, RandomPurpose purpose);

/// Uniform numbers keyed by position: pruning, batch layout and token order do not change what a token draws.
/// tokens [N] int64: flat index in the full T x h x w grid. Returns [N, d] float32 in [0, 1), on the
/// device of `tokens`: value [i, j] is word j%4 of Philox(key = seed; counter = {tokens[i], j/4,
/// scale<<16 | repetition<<8 | purpose, clip}), upper 24 bits. d must be a multiple of 4.
Tensor philox_uniform(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d);

namespace reference {
/// The 32-bit words behind philox_uniform: [N, d] int64.
Tensor philox_words(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d);
Tensor philox_uniform(const RandomStep& step, RandomPurpose purpose, const Tensor& tokens, int64_t d);
}  // namespace reference

}  // namespace faststar
