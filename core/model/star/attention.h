#pragma once
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// Who computes attention (`--attention`). `automatic`: cuDNN for long bfloat16 passes on a GPU, else ATen.
enum class AttentionBackend { automatic, cudnn, aten };

/// softmax(q k^T / sqrt(D)) v without a mask; query head i reads kv head i / (N / Nkv).
/// q [B, L, N, D]; k, v [B, K, Nkv, D], all of one dtype. Returns [B, L, N, D].
/// Throws Error(device) when `cudnn` is asked for where it cannot run (CPU, float32).
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, AttentionBackend backend);

/// Keys (after norm and RoPE) and values of one layer: [B, K, Nkv, D] each.
struct LayerKv {
  Tensor k;
  Tensor v;
};

/// What one pass leaves for later ones to attend to: an entry a layer.
using PassKv = std::vector<LayerKv>;

/// Keys and values of the earlier passes that a pass attends to. A pass of one row reads the first row of each; a
/// cached pass that has one row is read by every row.
struct KvCache {
  /// Of the text: one entry for the whole guidance batch, or one for each of its rows where their lengths differ.
  std::vector<PassKv> text;
  /// Of the last scale of the clip before, or of the interactive conditions: for the whole guidance batch.
  std::vector<PassKv> references;
};

/// attend() over the cache's text and references and the pass's own keys and values, in this order. Rows of the batch
/// whose texts differ in length attend one by one.
Tensor attend_with_cache(const Tensor& q, const LayerKv& own, const KvCache& cache, size_t layer,
                         AttentionBackend backend);

}  // namespace faststar
