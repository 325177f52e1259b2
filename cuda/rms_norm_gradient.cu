// Gradients of rms_norm (core/model/layers/rms_norm.h) and of norm_rope (core/model/star/norm_rope.h), whose rotation
// is undone first. A warp a row, held in registers: x and the gradient are read once, the result is written once.
// Blocks walk over many rows and keep the weight's gradient in registers, so that it leaves one row a block behind.
#include "cuda/launch.cuh"
#include "cuda/vector.cuh"

namespace faststar::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int64_t kMaxBlocks = 1056;  // eight for each multiprocessor of an H100

template <typename T>
struct alignas(2 * sizeof(T)) Pair {
  T even, odd;
};

/// The gradient of the norm's result: grad_out, turned back by the rotation.
__device__ float2 turned_back(float2 grad_out, const RmsNormGradient& op, int64_t row, int pair) {
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
  float2 x[kPairs], gradient[kPairs];
  load_row<T>(op.x, row, pairs, x);
  load_row<T>(op.grad_out, row, pairs, gradient);
  float squares = 0.0f, along = 0.0f;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const int pair = i * 32 + static_cast<int>(threadIdx.x % 32);
    if (pair < pairs) gradient[i] = turned_back(gradient[i], op, row, pair);
    squares += x[i].x * x[i].x + x[i].y * x[i].y;
    along += x[i].x * gradient[i].x * weight[i].x + x[i].y * gradient[i].y * weight[i].y;
  }
  const float width = static_cast<float>(op.width);
  const float scale = rsqrtf(warp_sum(squares) / width + op.eps);
  const float share = warp_sum(along) * scale * scale / width;
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    grad_weight[i].x += gradient[i].x * x[i].x * scale;
    grad_weight[i].y += gradient[i].y * x[i].y * scale;
    const int pair = i * 32 + static_cast<int>(threadIdx.x % 32);
    if (pair < pairs) {
      static_cast<Pair<T>*>(op.grad_x)[row * pairs + pair] = {
          from_float<T>(scale * (gradient[i].x * weight[i].x - x[i].x * share)),
          from_float<T>(scale * (gradient[i].y * weight[i].y - x[i].y * share))};
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

template <typename T>
void launch(const RmsNormGradient& op, Stream stream) {
  const auto blocks = static_cast<unsigned>(rms_norm_gradient_blocks(op.rows));
  const auto run = [&](auto kernel) { kernel<<<blocks, kWarps * 32, 0, as_stream(stream)>>>(op); };
  if (op.width <= 64) {
    run(rms_norm_gradient_kernel<T, 1>);
  } else if (op.width <= 256) {
    run(rms_norm_gradient_kernel<T, 4>);
  } else {
    run(rms_norm_gradient_kernel<T, kMaxRmsNormGradientWidth / 64>);
  }
  check_launch("rms_norm_gradient");
}

}  // namespace

int64_t rms_norm_gradient_blocks(int64_t rows) {
  const int64_t blocks = (rows + kWarps - 1) / kWarps;
  return blocks < kMaxBlocks ? blocks : kMaxBlocks;
}

void rms_norm_gradient(const RmsNormGradient& op, FloatType type, Stream stream) {
  if (op.rows == 0 || op.width == 0) return;
  if (type == FloatType::float32) return launch<float>(op, stream);
  launch<__nv_bfloat16>(op, stream);
}

}  // namespace faststar::cuda
