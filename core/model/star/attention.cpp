#include "core/model/star/attention.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/base/error.h"

namespace faststar {
namespace {

/// cuDNN builds a plan for every new shape (23-37 ms); below this many queries that costs more than it saves.
constexpr int64_t kCudnnMinQueries = 640;

bool cudnn_takes(const Tensor& q) {
  return q.is_cuda() && (q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf) && q.size(-1) % 8 == 0;
}

AttentionBackend choose(const Tensor& q, const Tensor& k, AttentionBackend backend) {
  if (backend == AttentionBackend::automatic) {
    const bool long_pass = q.size(1) >= kCudnnMinQueries && !q.requires_grad();
    return cudnn_takes(q) && long_pass ? AttentionBackend::cudnn : AttentionBackend::aten;
  }
  // cuDNN refuses a single key; one key needs no softmax, so who computes it cannot matter.
  if (backend == AttentionBackend::cudnn && k.size(1) == 1) return AttentionBackend::aten;
  if (backend == AttentionBackend::cudnn && !cudnn_takes(q)) {
    fail(ErrorKind::device,
         fmt::format("--attention cudnn: expected bfloat16 on a GPU, got {} on {}", dtype_text(q.scalar_type()),
                     q.device().str()),
         "--attention auto");
  }
  return backend;
}

}  // namespace

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, AttentionBackend backend) {
  const Tensor query = q.transpose(1, 2);  // [B, N, L, D], a view
  const Tensor key = k.transpose(1, 2);
  const Tensor value = v.transpose(1, 2);
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
  Tensor attended;
  if (choose(q, k, backend) == AttentionBackend::cudnn) {
    attended =
        std::get<0>(at::_scaled_dot_product_cudnn_attention(query, key, value, /*attn_bias=*/std::nullopt,
                                                            /*compute_log_sumexp=*/false, /*dropout_p=*/0.0,
                                                            /*is_causal=*/false, /*return_debug_mask=*/false, scale));
  } else {
    // In float32 only the kernel without grouped heads spares the GPU a matrix of all scores.
    const int64_t group = q.size(2) / k.size(2);
    const bool expand = q.is_cuda() && q.scalar_type() == at::kFloat && group > 1;
    attended = at::scaled_dot_product_attention(query, expand ? key.repeat_interleave(group, 1) : key,
                                                expand ? value.repeat_interleave(group, 1) : value,
                                                /*attn_mask=*/std::nullopt, /*dropout_p=*/0.0,
                                                /*is_causal=*/false, scale, /*enable_gqa=*/!expand);
  }
  return attended.transpose(1, 2);
}

}  // namespace faststar
