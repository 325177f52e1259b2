#include <algorithm>

#include "cuda/launch.cuh"

namespace faststar::cuda {

// RMS norm over the last dimension (core/model/layers.h). One block a row; the row is read once into
// registers when it is made of whole, aligned 16-byte vectors and fits (width <= 32,768 in bf16, 16,384 in float32), so
// each element moves twice: 4 B in bf16, against 26 B of the six ATen ops. Other rows take a scalar path that reads
// them twice. `bench ops`, H200: 2,118 GB/s, half of a copy, at 144,000 rows of 4096 in bf16.

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

// RMS norm of a head and the rotation of its pairs (core/model/layers.h). One warp a head: a lane holds every
// 32nd pair in registers (two pairs of a head of 128), so x moves once in and once out (4 B an element in bf16, against
// 40 B of the ATen ops). The rows of cos and sin are shared by all heads of a token through L2. H200, `bench ops`:
// 1,822 GB/s at 144,000 tokens of 32 heads in bf16.

namespace {

constexpr int kWarpsPerBlock = 8;
constexpr int kMaxPairsPerLane = kMaxNormRopeWidth / 2 / 32;

template <typename T>
__global__ void norm_rope_kernel(const NormRope op) {
  const int64_t head = int64_t{blockIdx.x} * kWarpsPerBlock + threadIdx.x / 32;
  if (head >= op.batch * op.tokens * op.heads) return;
  const int lane = threadIdx.x % 32;
  const int pairs = static_cast<int>(op.head_dim / 2);
  const int64_t row = head / (op.tokens * op.heads);
  const auto head_of_row = static_cast<uint32_t>(head - row * op.tokens * op.heads);
  const auto* x = static_cast<const Pair<T>*>(op.x) + head * pairs;
  auto* out = static_cast<Pair<T>*>(op.out) + row * (op.out_batch_stride / 2) + int64_t{head_of_row} * pairs;

  float even[kMaxPairsPerLane];
  float odd[kMaxPairsPerLane];
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kMaxPairsPerLane; ++i) {
    const int pair = i * 32 + lane;
    if (pair < pairs) {
      const Pair<T> held = x[pair];
      even[i] = to_float(held.even);
      odd[i] = to_float(held.odd);
      squares += even[i] * even[i] + odd[i] * odd[i];
    }
  }
  const float scale = rsqrtf(warp_sum(squares) / static_cast<float>(op.head_dim) + op.eps);

  const int64_t token = head_of_row / static_cast<uint32_t>(op.heads);
  const float* cos = op.cos + token * pairs;
  const float* sin = op.sin + token * pairs;
#pragma unroll
  for (int i = 0; i < kMaxPairsPerLane; ++i) {
    const int pair = i * 32 + lane;
    if (pair < pairs) {
      const float e = rounded<T>(even[i] * scale * op.weight[2 * pair]);
      const float o = rounded<T>(odd[i] * scale * op.weight[2 * pair + 1]);
      // Products rounded on their own: no fused multiply-add, as the reference computes them.
      out[pair] = {from_float<T>(__fsub_rn(rounded<T>(__fmul_rn(e, cos[pair])), __fmul_rn(o, sin[pair]))),
                   from_float<T>(__fadd_rn(rounded<T>(__fmul_rn(o, cos[pair])), __fmul_rn(e, sin[pair])))};
    }
  }
}

}  // namespace

void norm_rope(const NormRope& op, FloatType type, Stream stream) {
  require(op.head_dim % 2 == 0 && op.head_dim <= kMaxNormRopeWidth, "norm_rope: head_dim is even and at most 256");
  require(op.tokens * op.heads < int64_t{1} << 32, "norm_rope: a row has fewer than 2^32 heads");
  const int64_t blocks = block_count(op.batch * op.tokens * op.heads, kWarpsPerBlock);
  with_type(type, [&]<typename T>() {
    require(aligned_to(sizeof(Pair<T>), op.x, op.out) && op.out_batch_stride % 2 == 0,
            "norm_rope: x and out are aligned to pairs");
    launch("norm_rope", norm_rope_kernel<T>, {blocks}, kWarpsPerBlock * 32, stream, op);
  });
}

// Gradients of rms_norm (core/model/layers.h) and of norm_rope (core/model/layers.h), whose rotation
// is undone first. A warp a row, held in registers: x and grad_out are read once, grad_x is written once.
// Blocks walk over many rows and keep grad_weight in registers, so that each leaves one row of it behind.

namespace {

constexpr int kWarps = 8;
constexpr int64_t kMaxBlocks = 1056;  // eight for each multiprocessor of an H100

/// The gradient of what the norm returned: grad_out, rotated back.
__device__ float2 rotated_back(float2 grad_out, const RmsNormGradient& op, int64_t row, int pair) {
  if (!op.cos) return grad_out;
  const int64_t position = row / op.rows_per_position % op.positions;
  const float cos = op.cos[position * (op.width / 2) + pair];
  const float sin = op.sin[position * (op.width / 2) + pair];
  return {grad_out.x * cos + grad_out.y * sin, grad_out.y * cos - grad_out.x * sin};
}

/// A row as a warp holds it: pair i * 32 + lane in place i; zeros beyond the width.
template <typename T, int kPairs>
__device__ void load_row(const void* from, int64_t row, int pairs, float2 (&held)[kPairs]) {
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = i * 32 + static_cast<int>(threadIdx.x % 32);
    held[i] = {0.0f, 0.0f};
    if (pair < pairs) {
      const Pair<T> read = static_cast<const Pair<T>*>(from)[row * pairs + pair];
      held[i] = {to_float(read.even), to_float(read.odd)};
    }
  }
}

template <typename T, int kPairs>
__device__ void differentiate_row(const RmsNormGradient& op, int64_t row, const float2 (&weight)[kPairs],
                                  float2 (&grad_weight)[kPairs]) {
  const int pairs = static_cast<int>(op.width / 2);
  float2 x[kPairs], grad_out[kPairs];
  load_row<T>(op.x, row, pairs, x);
  load_row<T>(op.grad_out, row, pairs, grad_out);
  float squares = 0.0f, dot = 0.0f;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = i * 32 + static_cast<int>(threadIdx.x % 32);
    if (pair < pairs) grad_out[i] = rotated_back(grad_out[i], op, row, pair);
    squares += x[i].x * x[i].x + x[i].y * x[i].y;
    dot += x[i].x * grad_out[i].x * weight[i].x + x[i].y * grad_out[i].y * weight[i].y;
  }
  const float width = static_cast<float>(op.width);
  const float scale = rsqrtf(warp_sum(squares) / width + op.eps);
  const float share = warp_sum(dot) * scale * scale / width;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    grad_weight[i].x += grad_out[i].x * x[i].x * scale;
    grad_weight[i].y += grad_out[i].y * x[i].y * scale;
    const int pair = i * 32 + static_cast<int>(threadIdx.x % 32);
    if (pair < pairs) {
      static_cast<Pair<T>*>(op.grad_x)[row * pairs + pair] = {
          from_float<T>(scale * (grad_out[i].x * weight[i].x - x[i].x * share)),
          from_float<T>(scale * (grad_out[i].y * weight[i].y - x[i].y * share))};
    }
  }
}

template <typename T, int kPairs>
__global__ void __launch_bounds__(kWarps * 32) rms_norm_gradient_kernel(const RmsNormGradient op) {
  const int pairs = static_cast<int>(op.width / 2);
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  float2 weight[kPairs], grad_weight[kPairs] = {};
  load_row<float>(op.weight, 0, pairs, weight);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + warp; row < op.rows; row += int64_t{gridDim.x} * kWarps) {
    differentiate_row<T>(op, row, weight, grad_weight);
  }
  __shared__ float2 partial[kWarps][32];
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    __syncthreads();
    partial[warp][lane] = grad_weight[i];
    __syncthreads();
    const int pair = i * 32 + lane;
    if (warp > 0 || pair >= pairs) continue;
    float2 sum = partial[0][lane];
    for (int other = 1; other < kWarps; ++other) {
      sum.x += partial[other][lane].x;
      sum.y += partial[other][lane].y;
    }
    reinterpret_cast<float2*>(op.grad_weight)[blockIdx.x * pairs + pair] = sum;
  }
}

}  // namespace

int64_t rms_norm_gradient_blocks(int64_t rows) { return std::min(block_count(rows, kWarps), kMaxBlocks); }

void rms_norm_gradient(const RmsNormGradient& op, FloatType type, Stream stream) {
  require(op.width % 2 == 0 && op.width <= kMaxRmsNormGradientWidth, "rms_norm_gradient: width is even, at most 1024");
  require(aligned_to(sizeof(float2), op.weight, op.grad_weight), "rms_norm_gradient: weights are aligned to 8 bytes");
  if (op.width == 0) return;
  with_type(type, [&]<typename T>() {
    require(aligned_to(sizeof(Pair<T>), op.x, op.grad_out, op.grad_x), "rms_norm_gradient: rows are aligned to pairs");
    const auto kernel = op.width <= 64    ? rms_norm_gradient_kernel<T, 1>
                        : op.width <= 256 ? rms_norm_gradient_kernel<T, 4>
                                          : rms_norm_gradient_kernel<T, kMaxRmsNormGradientWidth / 64>;
    launch("rms_norm_gradient", kernel, {rms_norm_gradient_blocks(op.rows)}, kWarps * 32, stream, op);
  });
}

}  // namespace faststar::cuda
