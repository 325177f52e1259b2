#pragma once
#include "core/base/tensor.h"
#include "core/model/star/rope.h"

namespace faststar {

/// RMS norm of every head, then the rotation of its interleaved pairs (2p, 2p+1):
/// (e, o) -> (e cos - o sin, o cos + e sin).
/// x [B, L, N, D] float32 or bfloat16; weight [D] float32; rope [L, D/2]. Returns shape and dtype of `x`.
/// In bfloat16 the norm's result and the first product are rounded, as the official in-place code does.
/// Source: q_norm / k_norm of infinity/models/basic.py, apply_rotary_emb of infinity/models/rope.py.
Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope);

namespace reference {
Tensor norm_rope(const Tensor& x, const Tensor& weight, double eps, const Rope& rope);
}

}  // namespace faststar
