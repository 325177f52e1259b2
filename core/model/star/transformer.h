#pragma once
#include <functional>
#include <vector>

#include "core/model/layers/linear.h"
#include "core/model/reduce/reduction.h"
#include "core/model/star/architecture.h"
#include "core/model/star/attention.h"
#include "core/model/star/rope.h"

namespace faststar {

/// Attention of one layer: (layer, q [B, L, N, D], own keys and values [B, L, Nkv, D]) -> [B, L, N, D]. The rule
/// decides what else the queries see.
using AttentionRule = std::function<Tensor(size_t layer, const Tensor& q, const Tensor& k, const Tensor& v)>;

/// Where the tokens of a pass stand and what they attend to besides themselves.
struct PassSetting {
  const Rope& rope;
  const KvCache& cache;
  AttentionBackend attention = AttentionBackend::automatic;
  LayerReducer* reducer = nullptr;  ///< reduces the tokens of each branch; null: none does
};

/// Grouped-query attention with normed queries and keys (`<layer>.attn`).
struct SelfAttention {
  SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C].
  Tensor operator()(const Tensor& x, size_t layer, const Rope& rope, const AttentionRule& rule) const;

  Linear q_proj, k_proj, v_proj, o_proj;
  Tensor q_norm, k_norm;  // [D] float32
  StarArchitecture arch;
};

/// SwiGLU feed-forward network (`<layer>.mlp`).
struct Mlp {
  Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C]. Long passes go in pieces, so that [B L, F] never exists whole.
  Tensor operator()(const Tensor& x) const;

  Linear gate_proj, up_proj, down_proj;
};

/// One transformer layer: x + attention(norm(x)), then + mlp(norm(x)).
struct Block {
  Block(const Weights& weights, const StarArchitecture& arch, int64_t layer);
  /// x [B, L, C] -> [B, L, C] in the dtype of x: a float32 residual stream around bfloat16 layers stays float32.
  Tensor operator()(const Tensor& x, const Rope& rope, const AttentionRule& rule) const;
  /// The same for a pass whose branches go through `pass.reducer`. Keys and values are those of the tokens it kept.
  Tensor run_reduced(const Tensor& x, const PassSetting& pass, PassKv* own) const;

  size_t index;
  Tensor input_layernorm, post_attention_layernorm;  // [C] float32
  SelfAttention attn;
  Mlp mlp;

 private:
  Tensor cast_to_layer_dtype(const Tensor& normed) const;
};

/// Rows of the feed-forward network that exist at a time.
inline constexpr int64_t kMlpRows = 16384;
/// Of every norm in the transformer.
inline constexpr double kNormEpsilon = 1e-6;

/// Which output head a scale uses: 16 or 64 bits a token.
enum class Head { semantic, detail };

/// The spacetime autoregressive transformer (Infinity of infinity/models/infinity.py): weights only; the state
/// of a run lives with its caller.
class StarTransformer {
 public:
  /// The backbone has the dtype of `weights`; final norm and heads are float32.
  StarTransformer(const Weights& weights, const StarArchitecture& arch);

  /// Text features -> input tokens: [B, T, text_width] float32 -> [B, T, C].
  Tensor embed_text(const Tensor& features) const;
  /// The learned features of the unconditional row: [T, text_width] float32, T <= max_text_length.
  Tensor unconditional_text(int64_t length) const;
  /// Accumulated features as tokens -> input tokens: [B, L, 64] float32 -> [B, L, C].
  Tensor embed_tokens(const Tensor& tokens) const;
  /// The same for every row of a guidance batch: tokens [1, L, 64] float32 -> [batch, L, C].
  Tensor embed_tokens(const Tensor& tokens, int64_t batch) const;
  /// Weight of the token embedding: [C, 64].
  const Tensor& embedding() const { return word_embed_.weight; }
  /// All blocks over x [B, L, C]; keys and values of the pass go to `own` when it is given.
  Tensor run_blocks(Tensor x, const PassSetting& pass, PassKv* own) const;
  /// The same with any rule of attention (training packs several passes in one sequence).
  Tensor run_blocks(Tensor x, const Rope& rope, const AttentionRule& rule) const;
  /// Raw logits, before tau and guidance: x [B, L, C] -> [B, L, 2 d] float32; bit j has logits 2j (zero), 2j + 1 (one).
  Tensor logits(const Tensor& x, Head head) const;

  const StarArchitecture& architecture() const { return arch_; }
  at::Device device() const { return norm_hidden_states_.device(); }

 private:
  StarArchitecture arch_;
  Linear text_proj_;
  Linear word_embed_;
  Tensor cfg_uncond_;  // [max_text_length, text_width] float32
  std::vector<Block> blocks_;
  Tensor norm_hidden_states_;  // [C] float32
  Linear head_;
  Linear semantic_head_;
};

}  // namespace faststar
