#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/model/layers.h"
#include "core/model/reduce/reduction.h"
#include "core/model/star/kv_cache.h"
#include "core/model/star/rope.h"

namespace faststar {

/// Precision of the layers' norm weights: rounded to that of the backbone (the official scripts with bf16 = 1), or
/// float32 (tools/infer_interact_480p.py, bf16 = 0). They are used in float32 either way.
enum class NormWeights { backbone, fp32 };

/// Sizes of a STAR transformer, read from the checkpoint's shapes.
struct StarArchitecture {
  int64_t hidden_size = 0;  ///< C
  int64_t heads = 0;        ///< query heads
  int64_t kv_heads = 0;     ///< key and value heads; divides `heads`
  int64_t head_dim = 0;     ///< D, a multiple of 8 (four RoPE axes of whole pairs)
  int64_t ffn_width = 0;    ///< F
  int64_t layers = 0;
  int64_t chunks = 1;           ///< block_chunks of the official naming; 1 names layers `blocks.N`
  int64_t text_width = 0;       ///< channels of the text features
  int64_t max_text_length = 0;  ///< rows of `cfg_uncond`
  Linear::Bias attention_bias = Linear::Bias::absent;   ///< biases of q, k, v, o (13bMHA only)
  NormWeights norm_weights = NormWeights::backbone;     ///< not in the checkpoint: the preset says it
  LinearPrecision linears = LinearPrecision::backbone;  ///< of the layers; not in the checkpoint: the run says it

  bool operator==(const StarArchitecture&) const = default;
};

/// Throws Error(model) when the tensors are not those of a STAR transformer or their sizes do not fit together.
StarArchitecture detect_star_architecture(const Weights& weights);

int64_t parameter_count(const StarArchitecture& arch);

/// The layers of a block that read the same tokens and are computed as one.
FusedLayers qkv_layers(const StarArchitecture& arch);
FusedLayers gate_up_layers(const StarArchitecture& arch);
std::vector<FusedLayers> fused_layers(const StarArchitecture& arch);

/// Prefixes of tensors of official checkpoints that inference does not need.
inline const std::vector<std::string> kUnusedStarTensors = {"sos_token", "norm0_cond"};

/// Where the tokens of a pass stand and what they attend to besides themselves.
struct PassSetting {
  const Rope& rope;
  const KvCache& cache;
  AttentionSettings attention = {};
  LayerReducer* reducer = nullptr;  ///< reduces the tokens of each branch; null: none does
  bool fp8 = false;                 ///< linear layers multiply in E4M3; layers without other weights always do
};

/// Grouped-query attention with normed queries and keys (`<layer>.attn`). All of its products are in E4M3 when x is.
struct SelfAttention {
  SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C].
  Tensor operator()(const ScaledRows& x, size_t layer, const Rope& rope, AttentionRule& rule) const;

  Linear qkv_proj, o_proj;
  HeadNorms norms;
  StarArchitecture arch;

 private:
  /// What the heads see: [B, L, N, D].
  Tensor attend(const ScaledRows& x, size_t layer, const Rope& rope, AttentionRule& rule) const;
};

/// SwiGLU feed-forward network (`<layer>.mlp`). All of its products are in E4M3 when x is.
struct Mlp {
  Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch);
  /// x [B, L, C] -> [B, L, C]. Long passes go in pieces, so that [B L, F] never exists whole.
  Tensor operator()(const ScaledRows& x) const;

  Linear gate_up_proj, down_proj;
};

/// The residual stream between two branches: [B, L, C] each. The next norm adds the branch in the same pass over
/// memory.
struct ResidualStream {
  Tensor sum;
  Tensor branch = {};  ///< what the last branch adds to it; undefined: nothing

  Tensor total() const;
};

/// One transformer layer: x + attention(norm(x)), then + mlp(norm(x)).
struct Block {
  Block(const Weights& weights, const StarArchitecture& arch, int64_t layer);
  /// x [B, L, C] -> [B, L, C] in the dtype of x: a float32 residual stream around bfloat16 layers stays float32.
  /// With a reducer both branches go through it; keys and values are those of the tokens it kept. `in_fp8`: as
  /// PassSetting::fp8.
  ResidualStream operator()(ResidualStream x, const Rope& rope, AttentionRule& rule, LayerReducer* reducer = nullptr,
                            bool in_fp8 = false) const;

  size_t index;
  Tensor input_layernorm, post_attention_layernorm;  // [C] float32
  SelfAttention attn;
  Mlp mlp;
};

/// Rows of the feed-forward network that exist at a time; on a CPU so few that its caches hold them.
inline constexpr int64_t kMlpRows = 16384;
inline constexpr int64_t kCpuMlpRows = 512;

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
  /// Accumulated features as tokens -> input tokens: [B, L, 64] float32 -> [B, L, C]; [1, L, 64] is repeated for a
  /// guidance batch of more rows.
  Tensor embed_tokens(const Tensor& tokens, int64_t batch = 1) const;
  /// Weight of the token embedding: [C, 64].
  const Tensor& embedding() const { return word_embed_.weight; }
  /// All blocks over x [B, L, C]; keys and values of the pass go to `own` when it is given.
  Tensor run_blocks(Tensor x, const PassSetting& pass, PassKv* own) const;
  /// The same with any rule of attention (training packs several passes in one sequence).
  Tensor run_blocks(Tensor x, const Rope& rope, AttentionRule& rule, LayerReducer* reducer = nullptr,
                    bool in_fp8 = false) const;
  /// Raw logits, before tau and guidance: x [B, L, C] -> [B, L, 2 d] float32; bit j has logits 2j (zero), 2j + 1 (one).
  Tensor logits(const Tensor& x, Head head) const;

  const StarArchitecture& architecture() const { return arch_; }
  at::Device device() const { return norm_hidden_states_.device(); }
  /// Of keys and values.
  at::ScalarType kv_dtype() const { return blocks_.front().attn.qkv_proj.dtype; }

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
