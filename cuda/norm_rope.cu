// RMS norm of a head and the rotation of its pairs (core/model/star/norm_rope.h). One warp a head: each lane holds
// D/32 neighbouring pairs' worth of elements in registers, so x moves once in and once out (4 B an element in
// bf16, against 40 B of the ATen ops); cos and sin rows are shared by all heads of a token through L2.
#include "cuda/launch.cuh"
#include "cuda/vector.cuh"

namespace faststar::cuda {
namespace {

constexpr int kWarpsPerBlock = 8;
constexpr int kMaxPairsPerLane = kMaxNormRopeWidth / 2 / 32;

template <typename T>
struct alignas(2 * sizeof(T)) Pair {
  T even, odd;
};

template <typename T>
__global__ void norm_rope_kernel(NormRope op) {
  const int64_t head = int64_t{blockIdx.x} * kWarpsPerBlock + threadIdx.x / 32;
  if (head >= op.batch * op.tokens * op.heads) return;
  const int lane = threadIdx.x % 32;
  const int pairs = static_cast<int>(op.head_dim / 2);
  const auto* x = static_cast<const Pair<T>*>(op.x) + head * pairs;
  auto* out = static_cast<Pair<T>*>(op.out) + head * pairs;

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

  const int64_t token = head / op.heads % op.tokens;
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
  const int64_t heads = op.batch * op.tokens * op.heads;
  if (heads == 0) return;
  const unsigned blocks = block_count(heads, kWarpsPerBlock);
  constexpr int kThreads = kWarpsPerBlock * 32;
  if (type == FloatType::float32) {
    norm_rope_kernel<float><<<blocks, kThreads, 0, as_stream(stream)>>>(op);
  } else {
    norm_rope_kernel<__nv_bfloat16><<<blocks, kThreads, 0, as_stream(stream)>>>(op);
  }
  check_launch("norm_rope");
}

}  // namespace faststar::cuda
