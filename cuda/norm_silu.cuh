#pragma once
// What norm_silu and its gradient share: 1 to 32 neighbouring lanes of a warp hold a pixel's channels in registers,
// 16 bytes at a time.
#include "cuda/launch.cuh"
#include "cuda/vector.cuh"

namespace faststar::cuda {

constexpr int kNormSiluThreads = 256;
constexpr int kNormSiluMaxLanes = 32;
constexpr int kNormSiluMaxVectors = 4;
constexpr float kSmallestNorm = 1e-12f;

/// How the channels of a pixel are shared.
struct Share {
  int lanes;    // a power of two
  int vectors;  // of 16 bytes for each lane
};

inline Share share_channels(int64_t channels, FloatType type) {
  const int64_t vectors = channels / (type == FloatType::bfloat16 ? 8 : 4);
  int lanes = 1;
  while (lanes < kNormSiluMaxLanes && vectors % (2 * lanes) == 0) lanes *= 2;
  return {lanes, static_cast<int>(vectors / lanes)};
}

/// Neighbouring float32 values, loaded 16 bytes at a time.
template <int kCount>
struct alignas(16) FloatBlock {
  float value[kCount];
};

/// Sum over the `lanes` neighbours that share a pixel; `lanes` is a power of two.
__device__ inline float sum_over_lanes(float value, unsigned lanes) {
  for (unsigned distance = lanes / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, static_cast<int>(distance));
  }
  return value;
}

}  // namespace faststar::cuda
