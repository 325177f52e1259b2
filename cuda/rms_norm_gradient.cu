// Gradients of rms_norm (core/model/layers.h) and of norm_rope (core/model/star/rope.h), whose rotation
// is undone first. A warp a row, held in registers: x and grad_out are read once, grad_x is written once.
// Blocks walk over many rows and keep grad_weight in registers, so that each leaves one row of it behind.
#include <algorithm>

#include "cuda/vector.cuh"

namespace faststar::cuda {
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
