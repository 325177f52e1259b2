#pragma once
// What norm_silu and its gradient share: 1 to 32 neighbouring lanes of a warp hold a pixel's channels in registers,
// 16 bytes at a time.
#include "cuda/launch.cuh"

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

/// Throws std::invalid_argument when the kernels cannot read these operands.
inline void require_norm_silu_operands(const NormSilu& op, FloatType type) {
  require(norm_silu_takes(op.channels, type), "norm_silu: no kernel for this number of channels");
  require(aligned_to(16, op.x, op.gamma, op.factor, op.offset, op.before),
          "norm_silu: operands are aligned to 16 bytes");
}

/// Neighbouring float32 values, loaded 16 bytes at a time.
template <int kCount>
struct alignas(16) FloatBlock {
  float value[kCount];
};

/// `f.operator()<T, kVectors>()` for the type and share at hand.
template <typename Function>
void with_share(FloatType type, Share share, Function&& function) {
  with_type(type, [&]<typename T>() {
    switch (share.vectors) {
      case 1: return function.template operator()<T, 1>();
      case 2: return function.template operator()<T, 2>();
      case 3: return function.template operator()<T, 3>();
      case 4: return function.template operator()<T, 4>();
    }
  });
}

/// Sum over the `lanes` neighbours that share a pixel; `lanes` is a power of two.
__device__ inline float sum_over_lanes(float value, unsigned lanes) {
  for (unsigned distance = lanes / 2; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, static_cast<int>(distance));
  }
  return value;
}

}  // namespace faststar::cuda
