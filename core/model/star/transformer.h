#pragma once
#include <vector>

#include "core/model/star/block.h"

namespace faststar {

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
  /// The learned features of the unconditional row: [T, text_width] float32, T <= text_rows.
  Tensor unconditional_text(int64_t length) const;
  /// Accumulated features -> input tokens of every guidance row: [1, 64, t, h, w] float32 -> [rows, t h w, C].
  Tensor embed_codes(const Tensor& summed, int64_t rows) const;
  /// Accumulated features as tokens -> input tokens: [B, L, 64] float32 -> [B, L, C].
  Tensor embed_tokens(const Tensor& tokens) const;
  /// The same for tokens [1, L, 64] float32 -> [rows, L, C].
  Tensor embed_tokens(const Tensor& tokens, int64_t rows, PartTimer* parts = nullptr) const;
  /// Weight of the token embedding: [C, 64].
  const Tensor& embedding() const { return word_embed_.weight; }
  /// All blocks over x [B, L, C]; keys and values of the pass go to `own` when it is given.
  Tensor run_blocks(Tensor x, const PassSetting& pass, KeyValues* own) const;
  /// The same with any rule of attention (training packs several passes in one sequence).
  Tensor run_blocks(Tensor x, const Rope& rope, const AttentionRule& rule, PartTimer* parts = nullptr) const;
  /// Raw logits, before tau and guidance: x [B, L, C] -> [B, L, 2 d] float32; bit j has logits 2j (zero), 2j + 1 (one).
  Tensor logits(const Tensor& x, Head head, PartTimer* parts = nullptr) const;

  const StarArchitecture& architecture() const { return arch_; }
  at::Device device() const { return norm_hidden_states_.device(); }

 private:
  StarArchitecture arch_;
  Linear text_proj_;
  Linear word_embed_;
  Tensor cfg_uncond_;  // [text_rows, text_width] float32
  std::vector<Block> blocks_;
  Tensor norm_hidden_states_;  // [C] float32
  Linear head_;
  Linear semantic_head_;
};

}  // namespace faststar
