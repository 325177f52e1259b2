// RMS norm over the last dimension (core/model/layers.h). One block a row; the row is read once into
// registers when it is made of whole, aligned 16-byte vectors and fits (width <= 32,768 in bf16, 16,384 in float32), so
// each element moves twice: 4 B in bf16, against 26 B of the six ATen ops. Other rows take a scalar path that reads
// them twice.
#include "cuda/vector.cuh"

namespace faststar::cuda {
namespace {

constexpr int kMaxVectors = 8;  // per thread
constexpr int kMaxThreads = 512;

template <typename T>
__global__ void rms_norm_vector_kernel(Vector<T>* out, const Vector<T>* x, const float* weight, int vectors_per_row,
                                       float eps) {
  const int64_t row = int64_t{blockIdx.x} * vectors_per_row;
  Vector<T> held[kMaxVectors];
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kMaxVectors; ++i) {
    const int column = i * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
    if (column < vectors_per_row) {
      held[i] = x[row + column];
#pragma unroll
      for (int j = 0; j < Vector<T>::kSize; ++j) squares += to_float(held[i].value[j]) * to_float(held[i].value[j]);
    }
  }
  const float width = static_cast<float>(vectors_per_row * Vector<T>::kSize);
  const float scale = rsqrtf(block_sum(squares) / width + eps);
#pragma unroll
  for (int i = 0; i < kMaxVectors; ++i) {
    const int column = i * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
    if (column < vectors_per_row) {
      Vector<T> result;
#pragma unroll
      for (int j = 0; j < Vector<T>::kSize; ++j) {
        result.value[j] = from_float<T>(to_float(held[i].value[j]) * scale * weight[column * Vector<T>::kSize + j]);
      }
      out[row + column] = result;
    }
  }
}

template <typename T>
__global__ void rms_norm_scalar_kernel(T* out, const T* x, const float* weight, int64_t width, float eps) {
  const int64_t row = int64_t{blockIdx.x} * width;
  float squares = 0.0f;
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) squares += to_float(x[row + i]) * to_float(x[row + i]);
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(width) + eps);
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    out[row + i] = from_float<T>(to_float(x[row + i]) * scale * weight[i]);
  }
}

/// Threads for a row of `vectors`: whole warps, several vectors in flight per thread.
int threads_for(int64_t vectors) {
  const int64_t wanted = (vectors + 1) / 2;
  const int64_t warps = wanted < 32 ? 1 : (wanted + 31) / 32;
  return static_cast<int>(warps * 32 < kMaxThreads ? warps * 32 : kMaxThreads);
}

}  // namespace

void rms_norm(void* out, const void* x, const float* weight, int64_t rows, int64_t width, float eps, FloatType type,
              Stream stream) {
  if (width == 0) return;
  with_type(type, [&]<typename T>() {
    const int64_t vectors = width / Vector<T>::kSize;
    if (vectorizable<T>(width, out, x) && vectors <= kMaxVectors * kMaxThreads) {
      launch("rms_norm", rms_norm_vector_kernel<T>, {rows}, threads_for(vectors), stream, static_cast<Vector<T>*>(out),
             static_cast<const Vector<T>*>(x), weight, static_cast<int>(vectors), eps);
    } else {
      launch("rms_norm", rms_norm_scalar_kernel<T>, {rows}, 128, stream, static_cast<T*>(out), static_cast<const T*>(x),
             weight, width, eps);
    }
  });
}

}  // namespace faststar::cuda
