#pragma once
#include <string>

#include "core/base/tensor.h"

namespace faststar {

/// Who computes attention (`--attention`). `automatic`: cuDNN for long bfloat16 passes on a GPU, else ATen.
enum class AttentionBackend { automatic, cudnn, aten };

/// softmax(q k^T / sqrt(D)) v without a mask; query head i reads kv head i / (N / Nkv).
/// q [B, L, N, D]; k, v [B, K, Nkv, D], all of one dtype. Returns [B, L, N, D].
/// Throws Error(device) when `cudnn` is asked for where it cannot run (CPU, float32).
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, AttentionBackend backend);

}  // namespace faststar
