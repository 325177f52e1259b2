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

/// `count` rows of the guidance batch from `first` on; a pass that left one row serves all of them.
Tensor rows_of(const Tensor& part, int64_t first, int64_t count) {
  return part.size(0) == 1 ? part.expand({count, -1, -1, -1}) : part.narrow(0, first, count);
}

/// What one layer reads in `count` rows of the batch from `first` on.
LayerKv joined_kv(const KvCache& cache, const LayerKv& own, size_t layer, int64_t first, int64_t count) {
  std::vector<Tensor> k, v;
  const auto add = [&](const LayerKv& part) {
    k.push_back(rows_of(part.k, first, count));
    v.push_back(rows_of(part.v, first, count));
  };
  if (!cache.text.empty()) add(cache.text[cache.text.size() == 1 ? 0 : static_cast<size_t>(first)][layer]);
  for (const PassKv& reference : cache.references) add(reference[layer]);
  add(own);
  if (k.size() == 1) return {k[0], v[0]};
  return {at::cat(k, 1), at::cat(v, 1)};
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

Tensor attend_with_cache(const Tensor& q, const LayerKv& own, const KvCache& cache, size_t layer,
                         AttentionBackend backend) {
  if (cache.text.size() <= 1) {
    const LayerKv read = joined_kv(cache, own, layer, 0, q.size(0));
    return attend(q, read.k, read.v, backend);
  }
  std::vector<Tensor> attended;
  for (int64_t row = 0; row < q.size(0); ++row) {
    const LayerKv read = joined_kv(cache, own, layer, row, 1);
    attended.push_back(attend(q.narrow(0, row, 1), read.k, read.v, backend));
  }
  return at::cat(attended);
}

}  // namespace faststar
