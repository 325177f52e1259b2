#pragma once
#include <vector>

#include "core/layers/linear.h"
#include "core/reduce/layer_reducer.h"
#include "core/star/architecture.h"
#include "core/star/attention.h"
#include "core/star/rope.h"

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

/// Where a pass stands and what it attends to.
struct PassSetting {
  const Rope& rope;
  const Context& context;
  AttentionBackend attention = AttentionBackend::automatic;
  LayerReducer* reducer = nullptr;  ///< reduces the tokens of each branch; null: nobody
};

/// Grouped-query attention with normed queries and keys (`<layer>.attn`).
struct SelfAttention {
  SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C]. The pass's own keys and values go to `own` when it is given.
  Tensor operator()(const Tensor& x, size_t layer, const PassSetting& pass, KeyValue* own) const;

  Linear q_proj, k_proj, v_proj, o_proj;
  Tensor q_norm, k_norm;  // [D] float32
  StarArchitecture arch;
};

/// SwiGLU feed-forward network (`<layer>.mlp`).
struct Mlp {
  Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C]. Long passes go in pieces, so that [rows, F] never exists whole.
  Tensor operator()(const Tensor& x) const;

  Linear gate_proj, up_proj, down_proj;
};

/// One transformer layer: x + attention(norm(x)), then + mlp(norm(x)).
struct Block {
  Block(const Weights& weights, const StarArchitecture& arch, int64_t layer);
  Tensor operator()(const Tensor& x, const PassSetting& pass, KeyValue* own) const;
  /// The same, each branch through `pass.reducer`. Keys and values are those of the tokens that it kept.
  Tensor run_reduced(const Tensor& x, const PassSetting& pass, KeyValue* own) const;

  size_t index;
  Tensor input_layernorm, post_attention_layernorm;  // [C] float32
  SelfAttention attn;
  Mlp mlp;
};

/// Rows of the feed-forward network that exist at a time.
inline constexpr int64_t kMlpRows = 16384;
/// Of every norm in the transformer.
inline constexpr double kNormEpsilon = 1e-6;

}  // namespace faststar
