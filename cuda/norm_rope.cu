// RMS norm of a head and the rotation of its pairs (core/model/star/rope.h). One warp a head: a lane holds every
// 32nd pair in registers (two pairs of a head of 128), so x moves once in and once out (4 B an element in bf16, against
// 40 B of the ATen ops). The rows of cos and sin are shared by all heads of a token through L2.
#include "cuda/launch.cuh"
#include "cuda/vector.cuh"

namespace faststar::cuda {
namespace {

constexpr int kWarpsPerBlock = 8;
constexpr int kMaxPairsPerLane = kMaxNormRopeWidth / 2 / 32;

template <typename T>
__global__ void norm_rope_kernel(const NormRope op) {
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
  require(op.head_dim % 2 == 0 && op.head_dim <= kMaxNormRopeWidth, "norm_rope: head_dim is even and at most 256");
  const int64_t blocks = block_count(op.batch * op.tokens * op.heads, kWarpsPerBlock);
  with_type(type, [&]<typename T>() {
    require(aligned_to(sizeof(Pair<T>), op.x, op.out), "norm_rope: x and out are aligned to pairs");
    launch("norm_rope", norm_rope_kernel<T>, {blocks}, kWarpsPerBlock * 32, stream, op);
  });
}

}  // namespace faststar::cuda
