#pragma once
#include <cstdint>

#ifdef __CUDACC__
#define FASTSTAR_HOST_DEVICE __host__ __device__
#else
#define FASTSTAR_HOST_DEVICE
#endif

namespace faststar {

struct PhiloxBlock {
  uint32_t word[4];
};

/// Philox4x32-10: four random 32-bit words that depend on nothing but counter and key.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
FASTSTAR_HOST_DEVICE constexpr PhiloxBlock philox4x32(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter.word[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The upper 24 bits as a float in [0, 1).
FASTSTAR_HOST_DEVICE constexpr float uniform_from_bits(uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0f / 16777216.0f);
}

}  // namespace faststar
