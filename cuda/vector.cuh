#pragma once
// What the kernels of activations share: conversions, 16-byte vectors, sums over a warp or a block.
#include "cuda/launch.cuh"

namespace faststar::cuda {

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T>
__device__ inline T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

/// `value` after rounding to T.
template <typename T>
__device__ inline float rounded(float value) {
  return to_float(from_float<T>(value));
}

/// Two neighbours, even index first: one load or store.
template <typename T>
struct alignas(2 * sizeof(T)) Pair {
  T even, odd;
};

/// Neighbours in one load or store of a thread; 16 bytes, unless told otherwise.
template <typename T, int kCount = 16 / sizeof(T)>
struct alignas(kCount * sizeof(T)) Vector {
  static constexpr int kSize = kCount;
  T value[kCount];
};

/// True when pointers and row length allow 16-byte accesses.
template <typename T, typename... Pointers>
bool vectorizable(int64_t width, Pointers... pointers) {
  return width % Vector<T>::kSize == 0 && aligned_to(sizeof(Vector<T>), pointers...);
}

__device__ inline float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

/// Sum over the block; every thread gets it. At most 1024 threads, a multiple of 32.
__device__ inline float block_sum(float value) {
  __shared__ float partial[32];
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? partial[threadIdx.x % 32] : 0.0f;
  value = warp_sum(value);
  __syncthreads();  // `partial` may be written again
  return value;
}

}  // namespace faststar::cuda
