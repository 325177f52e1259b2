#pragma once
// What the kernels share: how a launcher starts them (on the stream's device, with a checked grid and a check of the
// launch), and for kernels of activations conversions, 16-byte vectors and sums over a warp or a block.
#include <cuda_bf16.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cuda/check.cuh"
#include "cuda/kernels.h"

namespace faststar::cuda {

/// Makes the stream's device current while it lives.
class DeviceGuard {
 public:
  explicit DeviceGuard(Stream stream) : device_(stream.device) {
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (before_ != device_) check(cudaSetDevice(device_), "cudaSetDevice");
  }
  ~DeviceGuard() {
    if (before_ != device_) (void)cudaSetDevice(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int device_;
  int before_ = 0;
};

inline cudaStream_t as_stream(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

/// Blocks of a launch. Wider than dim3, so that sizes are checked before they are narrowed.
struct Grid {
  int64_t x;
  int64_t y = 1;
  int64_t z = 1;
};

/// Blocks for `items`, `per_block` each.
inline int64_t block_count(int64_t items, int64_t per_block) { return (items + per_block - 1) / per_block; }

/// Starts a kernel; without blocks nothing happens. Throws Failure when the grid is beyond CUDA's limits or the launch
/// is refused.
template <typename... Parameters>
void launch(const char* name, void (*kernel)(Parameters...), Grid grid, dim3 block, Stream stream,
            std::type_identity_t<Parameters>... arguments) {
  constexpr int64_t kMaxX = (int64_t{1} << 31) - 1, kMaxYZ = 65535;
  if (grid.x > kMaxX || grid.y > kMaxYZ || grid.z > kMaxYZ) {
    throw Failure(std::string(name) + ": a grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                  std::to_string(grid.z) + " blocks is beyond CUDA's limits");
  }
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
  const DeviceGuard guard(stream);
  kernel<<<dim3(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z)), block, 0,
           as_stream(stream)>>>(arguments...);
  check(cudaGetLastError(), name);
}

/// Calls `function.operator()<T>()` with the C++ type of the activations.
template <typename Function>
void with_type(FloatType type, Function&& function) {
  if (type == FloatType::float32) return function.template operator()<float>();
  function.template operator()<__nv_bfloat16>();
}

/// Throws std::invalid_argument: the caller broke what the header asks for.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

/// True when each of the addresses is a multiple of `bytes`; null is.
template <typename... Pointers>
bool aligned_to(size_t bytes, Pointers... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % bytes == 0) && ...);
}

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

template <typename T>
__device__ inline T from_float(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return __float2bfloat16_rn(value);
  }
}

/// `value` after rounding to T.
template <typename T>
__device__ inline float rounded(float value) {
  return to_float(from_float<T>(value));
}

/// silu(gate) * up; silu is rounded to T first (core/model/layers.h).
template <typename T>
__device__ inline T swiglu_element(T gate, T up) {
  const float g = to_float(gate);
  return from_float<T>(rounded<T>(g / (1.0f + expf(-g))) * to_float(up));
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

/// Vector `index` of x, or of x + branch, which is rounded and kept in `sum`.
template <typename T, int kCount = Vector<T>::kSize>
__device__ inline Vector<T, kCount> read_sum(const void* x, const void* branch, void* sum, int64_t index) {
  Vector<T, kCount> held = static_cast<const Vector<T, kCount>*>(x)[index];
  if (!branch) return held;
  const Vector<T, kCount> added = static_cast<const Vector<T, kCount>*>(branch)[index];
#pragma unroll
  for (int j = 0; j < kCount; ++j) held.value[j] = from_float<T>(to_float(held.value[j]) + to_float(added.value[j]));
  static_cast<Vector<T, kCount>*>(sum)[index] = held;
  return held;
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
