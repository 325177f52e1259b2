#pragma once
#include <functional>
#include <vector>

#include "core/model/layers/linear.h"
#include "core/model/reduce/layer_reducer.h"
#include "core/model/star/architecture.h"
#include "core/model/star/attention.h"
#include "core/model/star/rope.h"

namespace faststar {

/// Keys (after norm and RoPE) and values of one layer: [B, K, Nkv, D] each.
struct KeyValue {
  Tensor k;
  Tensor v;
};

/// What one pass leaves for later ones to attend to: an entry a layer.
using KeyValues = std::vector<KeyValue>;

/// What a block sees besides its own tokens: earlier passes, each with an entry a layer.
using Context = std::vector<const KeyValues*>;

/// Attention of one layer: (layer, q [B, L, N, D], k, v [B, L, Nkv, D]) -> [B, L, N, D], where q, k and v are the
/// pass's own. What else its queries may see is the rule's affair.
using AttentionRule = std::function<Tensor(size_t layer, const Tensor& q, const Tensor& k, const Tensor& v)>;

/// Where a pass stands and what it attends to.
struct PassSetting {
  const Rope& rope;
  const Context& context;
  AttentionBackend attention = AttentionBackend::automatic;
  LayerReducer* reducer = nullptr;  ///< reduces the tokens of each branch; null: nobody
  PartTimer* parts = nullptr;       ///< hears what the pass is at; null: nobody asks
};

/// Every token of a pass sees the pass itself and its context. Keys and values go to `own`, with an entry a layer,
/// when it is given. Refers to its arguments.
AttentionRule attend_to_context(const PassSetting& pass, KeyValues* own);

/// Grouped-query attention with normed queries and keys (`<layer>.attn`).
struct SelfAttention {
  SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C].
  Tensor operator()(const Tensor& x, size_t layer, const Rope& rope, const AttentionRule& rule,
                    PartTimer* parts = nullptr) const;

  Linear q_proj, k_proj, v_proj, o_proj;
  Tensor q_norm, k_norm;  // [D] float32
  StarArchitecture arch;
};

/// SwiGLU feed-forward network (`<layer>.mlp`).
struct Mlp {
  Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C]. Long passes go in pieces, so that [rows, F] never exists whole.
  Tensor operator()(const Tensor& x, PartTimer* parts = nullptr) const;

  Linear gate_proj, up_proj, down_proj;
};

/// One transformer layer: x + attention(norm(x)), then + mlp(norm(x)).
struct Block {
  Block(const Weights& weights, const StarArchitecture& arch, int64_t layer);
  /// x [B, L, C] -> [B, L, C] in the dtype of x: a float32 residual stream around bfloat16 layers stays float32.
  Tensor operator()(const Tensor& x, const Rope& rope, const AttentionRule& rule, PartTimer* parts = nullptr) const;
  /// The same for a pass whose branches go through `pass.reducer`. Keys and values are those of the tokens it kept.
  Tensor run_reduced(const Tensor& x, const PassSetting& pass, KeyValues* own) const;

  size_t index;
  Tensor input_layernorm, post_attention_layernorm;  // [C] float32
  SelfAttention attn;
  Mlp mlp;

 private:
  /// In the dtype of the layers.
  Tensor narrow(const Tensor& normed) const;
};

/// Rows of the feed-forward network that exist at a time.
inline constexpr int64_t kMlpRows = 16384;
/// Of every norm in the transformer.
inline constexpr double kNormEpsilon = 1e-6;

}  // namespace faststar
