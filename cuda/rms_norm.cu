#include <algorithm>

#include "cuda/launch.cuh"

namespace faststar::cuda {

// RMS norm over the last dimension (core/model/layers.h), of x or of the sum of x and a branch, which is kept. One
// block a row; the row is read once into registers when it is made of whole, aligned 16-byte vectors and fits (width <=
// 32,768 in bf16, 16,384 in float32), so each element moves twice: 4 B in bf16, against 26 B of the six ATen ops; with
// a branch 8 B. Other rows take a scalar path that reads them twice. `bench ops`, H200: 2,118 GB/s, half of a copy, at
// 144,000 rows of 4096 in bf16.

namespace {

constexpr int kMaxVectors = 8;  // per thread
constexpr int kMaxThreads = 512;

template <typename T>
__global__ void rms_norm_vector_kernel(const RmsNorm op, int vectors_per_row) {
  const int64_t row = int64_t{blockIdx.x} * vectors_per_row;
  Vector<T> held[kMaxVectors];
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kMaxVectors; ++i) {
    const int column = i * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
    if (column < vectors_per_row) {
      held[i] = read_sum<T>(op.x, op.branch, op.sum, row + column);
#pragma unroll
      for (int j = 0; j < Vector<T>::kSize; ++j) squares += to_float(held[i].value[j]) * to_float(held[i].value[j]);
    }
  }
  const float width = static_cast<float>(vectors_per_row * Vector<T>::kSize);
  const float scale = rsqrtf(block_sum(squares) / width + op.eps);
#pragma unroll
  for (int i = 0; i < kMaxVectors; ++i) {
    const int column = i * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
    if (column < vectors_per_row) {
      Vector<T> result;
#pragma unroll
      for (int j = 0; j < Vector<T>::kSize; ++j) {
        result.value[j] = from_float<T>(to_float(held[i].value[j]) * scale * op.weight[column * Vector<T>::kSize + j]);
      }
      static_cast<Vector<T>*>(op.out)[row + column] = result;
    }
  }
}

template <typename T>
__global__ void rms_norm_scalar_kernel(const RmsNorm op) {
  const int64_t row = int64_t{blockIdx.x} * op.width;
  float squares = 0.0f;
  for (int64_t i = threadIdx.x; i < op.width; i += blockDim.x) {
    const float value = to_float(read_sum<T, 1>(op.x, op.branch, op.sum, row + i).value[0]);
    squares += value * value;
  }
  const float scale = rsqrtf(block_sum(squares) / static_cast<float>(op.width) + op.eps);
  // Each thread reads the sums that it wrote.
  const auto* x = static_cast<const T*>(op.branch ? op.sum : op.x) + row;
  for (int64_t i = threadIdx.x; i < op.width; i += blockDim.x) {
    static_cast<T*>(op.out)[row + i] = from_float<T>(to_float(x[i]) * scale * op.weight[i]);
  }
}

/// Threads for a row of `vectors`: whole warps, several vectors in flight per thread.
int threads_for(int64_t vectors) {
  const int64_t wanted = (vectors + 1) / 2;
  const int64_t warps = wanted < 32 ? 1 : (wanted + 31) / 32;
  return static_cast<int>(warps * 32 < kMaxThreads ? warps * 32 : kMaxThreads);
}

}  // namespace

void rms_norm(const RmsNorm& op, FloatType type, Stream stream) {
  if (op.width == 0) return;
  with_type(type, [&]<typename T>() {
    const int64_t vectors = op.width / Vector<T>::kSize;
    if (vectorizable<T>(op.width, op.out, op.x, op.branch, op.sum) && vectors <= kMaxVectors * kMaxThreads) {
      launch("rms_norm", rms_norm_vector_kernel<T>, {op.rows}, threads_for(vectors), stream, op,
             static_cast<int>(vectors));
    } else {
      launch("rms_norm", rms_norm_scalar_kernel<T>, {op.rows}, 128, stream, op);
    }
  });
}

// Queries, keys and values apart, with the RMS norm of each query's and key's head and the rotation of its pairs
// (core/model/layers.h). One warp a head: a lane holds every 32nd pair in registers (two pairs of a head of 128), so x
// moves once in and once out (4 B an element in bf16, against 40 B of the ATen ops). The rows of cos and sin are shared
// by all heads of a token through L2. H200, `bench ops`: 1,822 GB/s at 144,000 tokens of 32 heads in bf16.

namespace {

constexpr int kWarpsPerBlock = 8;
constexpr int kMaxPairsPerLane = kMaxSplitQkvWidth / 2 / 32;

/// Where a head goes, and how it is normed: as a query, as a key, or not.
template <typename T>
struct HeadPlace {
  Pair<T>* out;
  const float* weight;  ///< null: the head is copied
};

/// `index`: among the heads of a token.
template <typename T>
__device__ HeadPlace<T> place_of_head(const SplitQkv& op, int64_t row, int64_t token, int index) {
  const int64_t pairs = op.head_dim / 2;
  const int q_heads = static_cast<int>(op.q_heads), kv_heads = static_cast<int>(op.kv_heads);
  if (index < q_heads) {
    return {static_cast<Pair<T>*>(op.q) + ((row * op.tokens + token) * q_heads + index) * pairs, op.q_weight};
  }
  const int of_kv = index - q_heads;
  const bool is_key = of_kv < kv_heads;
  const int64_t head = token * kv_heads + (is_key ? of_kv : of_kv - kv_heads);
  return {static_cast<Pair<T>*>(is_key ? op.k : op.v) + row * (op.kv_batch_stride / 2) + head * pairs,
          is_key ? op.k_weight : nullptr};
}

template <typename T>
__global__ void split_qkv_kernel(const SplitQkv op) {
  const int64_t head = int64_t{blockIdx.x} * kWarpsPerBlock + threadIdx.x / 32;
  const int64_t heads = op.q_heads + 2 * op.kv_heads;  // of a token
  if (head >= op.batch * op.tokens * heads) return;
  const int lane = threadIdx.x % 32;
  const int pairs = static_cast<int>(op.head_dim / 2);
  const int64_t row = head / (op.tokens * heads);
  const auto head_of_row = static_cast<uint32_t>(head - row * op.tokens * heads);
  const int64_t token = head_of_row / static_cast<uint32_t>(heads);
  const auto [out, weight] =
      place_of_head<T>(op, row, token, static_cast<int>(head_of_row % static_cast<uint32_t>(heads)));
  const auto* x = static_cast<const Pair<T>*>(op.x) + head * pairs;
  if (!weight) {
    for (int pair = lane; pair < pairs; pair += 32) out[pair] = x[pair];
    return;
  }

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

  const float* cos = op.cos + token * pairs;
  const float* sin = op.sin + token * pairs;
#pragma unroll
  for (int i = 0; i < kMaxPairsPerLane; ++i) {
    const int pair = i * 32 + lane;
    if (pair < pairs) {
      const float e = rounded<T>(even[i] * scale * weight[2 * pair]);
      const float o = rounded<T>(odd[i] * scale * weight[2 * pair + 1]);
      // Products rounded on their own: no fused multiply-add, as the reference computes them.
      out[pair] = {from_float<T>(__fsub_rn(rounded<T>(__fmul_rn(e, cos[pair])), __fmul_rn(o, sin[pair]))),
                   from_float<T>(__fadd_rn(rounded<T>(__fmul_rn(o, cos[pair])), __fmul_rn(e, sin[pair])))};
    }
  }
}

}  // namespace

void split_qkv(const SplitQkv& op, FloatType type, Stream stream) {
  require(op.head_dim % 2 == 0 && op.head_dim <= kMaxSplitQkvWidth, "split_qkv: head_dim is even and at most 256");
  const int64_t heads = op.q_heads + 2 * op.kv_heads;
  require(op.tokens * heads < int64_t{1} << 32, "split_qkv: a row has fewer than 2^32 heads");
  const int64_t blocks = block_count(op.batch * op.tokens * heads, kWarpsPerBlock);
  with_type(type, [&]<typename T>() {
    require(aligned_to(sizeof(Pair<T>), op.x, op.q, op.k, op.v) && op.kv_batch_stride % 2 == 0,
            "split_qkv: x, q, k and v are aligned to pairs");
    launch("split_qkv", split_qkv_kernel<T>, {blocks}, kWarpsPerBlock * 32, stream, op);
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
