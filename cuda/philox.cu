// Position-keyed uniform numbers (core/base/random.h). One thread a Philox block: 4 outputs, one 16-byte store.
// Reads 8 B a token, writes 4 B a number. ATen needs ten rounds of eight int64 tensors for the same. H200, `bench ops`:
// 1,727 GB/s at 72,000 x 64 numbers.
#include "cuda/launch.cuh"
#include "cuda/philox.h"

namespace faststar::cuda {
namespace {

__global__ void philox_uniform_kernel(float4* uniform, const int64_t* tokens, int64_t blocks, int64_t blocks_per_token,
                                      uint32_t key0, uint32_t key1, uint32_t stream_word, uint32_t clip) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= blocks) return;
  const uint32_t token = static_cast<uint32_t>(tokens[index / blocks_per_token]);
  const uint32_t block = static_cast<uint32_t>(index % blocks_per_token);
  const PhiloxBlock random = philox4x32({{token, block, stream_word, clip}}, key0, key1);
  uniform[index] = make_float4(uniform_from_bits(random.word[0]), uniform_from_bits(random.word[1]),
                               uniform_from_bits(random.word[2]), uniform_from_bits(random.word[3]));
}

}  // namespace

void philox_uniform(float* uniform, const int64_t* tokens, int64_t n, int64_t d, uint64_t seed, uint32_t stream_word,
                    uint32_t clip, Stream stream) {
  require(d % 4 == 0 && aligned_to(sizeof(float4), uniform), "philox_uniform: rows of whole 16-byte blocks");
  const int64_t blocks = n * (d / 4);
  constexpr int kThreads = 256;
  launch("philox_uniform", philox_uniform_kernel, {block_count(blocks, kThreads)}, kThreads, stream,
         reinterpret_cast<float4*>(uniform), tokens, blocks, d / 4, static_cast<uint32_t>(seed),
         static_cast<uint32_t>(seed >> 32), stream_word, clip);
}

}  // namespace faststar::cuda
