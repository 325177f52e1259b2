#include "core/model/star/transformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/profile.h"
#include "core/model/layers/rms_norm.h"
#include "core/model/layers/swiglu.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

Tensor norm_weight(const Weights& weights, const std::string& name, int64_t size, const StarArchitecture& arch) {
  const bool exact = arch.norm_weights == NormWeights::fp32;
  return weights.get(name, {size}, exact ? at::kFloat : weights.dtype()).to(at::kFloat);
}

/// Rows whose hidden states are widened to float32 at a time.
constexpr int64_t kHeadRows = 16384;

std::vector<Block> make_blocks(const Weights& weights, const StarArchitecture& arch) {
  std::vector<Block> blocks;
  for (int64_t layer = 0; layer < arch.layers; ++layer) blocks.emplace_back(weights, arch, layer);
  return blocks;
}

Linear float_head(const Weights& weights, const std::string& name, const StarArchitecture& arch, int64_t bits) {
  return {weights, name, arch.hidden_size, 2 * bits, Linear::Bias::present, at::kFloat};
}

/// The rule of generation: a pass sees its cache and itself. Keys and values go to `own`, with an entry a layer, when
/// it is given. Refers to its arguments.
AttentionRule attend_to_cache(const PassSetting& pass, PassKv* own) {
  return [&pass, own](size_t layer, const Tensor& q, const Tensor& k, const Tensor& v) {
    if (own) (*own)[layer] = {k, v};
    const ProfileRange range(PassPart::attention);
    return attend_with_cache(q, {k, v}, pass.cache, layer, pass.attention);
  };
}

}  // namespace

SelfAttention::SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : q_proj(weights, prefix + ".q_proj", arch.hidden_size, arch.heads * arch.head_dim, arch.attention_bias),
      k_proj(weights, prefix + ".k_proj", arch.hidden_size, arch.kv_heads * arch.head_dim, arch.attention_bias),
      v_proj(weights, prefix + ".v_proj", arch.hidden_size, arch.kv_heads * arch.head_dim, arch.attention_bias),
      o_proj(weights, prefix + ".o_proj", arch.heads * arch.head_dim, arch.hidden_size, arch.attention_bias),
      q_norm(norm_weight(weights, prefix + ".q_norm.weight", arch.head_dim, arch)),
      k_norm(norm_weight(weights, prefix + ".k_norm.weight", arch.head_dim, arch)),
      arch(arch) {}

Tensor SelfAttention::operator()(const Tensor& x, size_t layer, const Rope& rope, const AttentionRule& rule) const {
  const auto split_heads = [&](const Tensor& t, int64_t heads) {
    return t.unflatten(-1, {heads, arch.head_dim});  // [B, L, heads, D]
  };
  const Tensor q = norm_rope(split_heads(q_proj(x), arch.heads), q_norm, kNormEpsilon, rope);
  const Tensor k = norm_rope(split_heads(k_proj(x), arch.kv_heads), k_norm, kNormEpsilon, rope);
  const Tensor v = split_heads(v_proj(x), arch.kv_heads);
  return o_proj(rule(layer, q, k, v).flatten(2));
}

Mlp::Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : gate_proj(weights, prefix + ".gate_proj", arch.hidden_size, arch.ffn_width, Linear::Bias::absent),
      up_proj(weights, prefix + ".up_proj", arch.hidden_size, arch.ffn_width, Linear::Bias::absent),
      down_proj(weights, prefix + ".down_proj", arch.ffn_width, arch.hidden_size, Linear::Bias::absent) {}

Tensor Mlp::operator()(const Tensor& x) const {
  const auto feed_forward = [&](const Tensor& rows) { return down_proj(swiglu(gate_proj(rows), up_proj(rows))); };
  const Tensor rows = x.flatten(0, 1);  // [B L, C]
  if (rows.size(0) <= kMlpRows) return feed_forward(rows).view(x.sizes());
  std::vector<Tensor> pieces;
  for (const Tensor& piece : rows.split(kMlpRows)) pieces.push_back(feed_forward(piece));
  return at::cat(pieces).view(x.sizes());
}

Block::Block(const Weights& weights, const StarArchitecture& arch, int64_t layer)
    : index(static_cast<size_t>(layer)),
      input_layernorm(
          norm_weight(weights, layer_prefix(arch, layer) + ".input_layernorm.weight", arch.hidden_size, arch)),
      post_attention_layernorm(
          norm_weight(weights, layer_prefix(arch, layer) + ".post_attention_layernorm.weight", arch.hidden_size, arch)),
      attn(weights, layer_prefix(arch, layer) + ".attn", arch),
      mlp(weights, layer_prefix(arch, layer) + ".mlp", arch) {}

Tensor Block::operator()(const Tensor& x, const Rope& rope, const AttentionRule& rule) const {
  const auto normed = [&](const Tensor& residual, const Tensor& norm) {
    return cast_to_layer_dtype(rms_norm(residual, norm, kNormEpsilon));
  };
  const Tensor attended = x + attn(normed(x, input_layernorm), index, rope, rule);
  return attended + mlp(normed(attended, post_attention_layernorm));
}

Tensor Block::run_reduced(const Tensor& x, const PassSetting& pass, PassKv* own) const {
  const AttentionRule rule = attend_to_cache(pass, own);
  const auto attention = [&](const Tensor& tokens, const Tensor& positions) {
    const ProfileRange range(PassPart::rest);
    const Rope rope = positions.defined() ? gather_rope(pass.rope, positions) : pass.rope;
    return attn(tokens, index, rope, rule);
  };
  const auto feed_forward = [&](const Tensor& tokens, const Tensor&) {
    const ProfileRange range(PassPart::rest);
    return mlp(tokens);
  };
  const auto reduced = [&](LayerOp op, const Tensor& residual, const Tensor& norm, const Branch& branch) {
    const Tensor normed = rms_norm(residual, norm, kNormEpsilon);
    const ProfileRange range(PassPart::reduction);
    return pass.reducer->run({index, op}, residual, normed, branch);
  };
  const Tensor attended = x + reduced(LayerOp::attention, x, input_layernorm, attention);
  return attended + reduced(LayerOp::mlp, attended, post_attention_layernorm, feed_forward);
}

Tensor Block::cast_to_layer_dtype(const Tensor& normed) const { return normed.to(attn.q_proj.weight.scalar_type()); }

StarTransformer::StarTransformer(const Weights& weights, const StarArchitecture& arch)
    : arch_(arch),
      text_proj_(weights, "text_proj", arch.text_width, arch.hidden_size, Linear::Bias::present),
      word_embed_(weights, "word_embed", kFeatureChannels, arch.hidden_size, Linear::Bias::present),
      cfg_uncond_(weights.get("cfg_uncond", {arch.max_text_length, arch.text_width}, at::kFloat)),
      blocks_(make_blocks(weights, arch)),
      norm_hidden_states_(weights.get("norm_hidden_sates.weight", {arch.hidden_size}, at::kFloat)),  // spelled so
      head_(float_head(weights, "head", arch, kDetailBits)),
      semantic_head_(float_head(weights, "semantic_head2", arch, kSemanticBits)) {}

Tensor StarTransformer::embed_text(const Tensor& features) const { return text_proj_(features.to(device())); }

Tensor StarTransformer::unconditional_text(int64_t length) const {
  if (length > arch_.max_text_length) {
    fail(ErrorKind::usage, fmt::format("prompt: expected at most {} tokens (cfg_uncond of this checkpoint), got {}",
                                       arch_.max_text_length, length));
  }
  return cfg_uncond_.narrow(0, 0, length);
}

Tensor StarTransformer::embed_tokens(const Tensor& tokens) const { return word_embed_(tokens); }

Tensor StarTransformer::embed_tokens(const Tensor& tokens, int64_t batch) const {
  const Tensor embedded = word_embed_(tokens);
  return batch == 1 ? embedded : embedded.expand({batch, -1, -1}).contiguous();
}

Tensor StarTransformer::run_blocks(Tensor x, const PassSetting& pass, PassKv* own) const {
  if (own) own->resize(blocks_.size());
  if (pass.reducer) {
    for (const Block& block : blocks_) x = block.run_reduced(x, pass, own);
    return x;
  }
  return run_blocks(std::move(x), pass.rope, attend_to_cache(pass, own));
}

Tensor StarTransformer::run_blocks(Tensor x, const Rope& rope, const AttentionRule& rule) const {
  for (const Block& block : blocks_) x = block(x, rope, rule);
  return x;
}

Tensor StarTransformer::logits(const Tensor& x, Head head) const {
  const Linear& projection = head == Head::semantic ? semantic_head_ : head_;
  std::vector<Tensor> pieces;
  for (const Tensor& rows : x.flatten(0, 1).split(kHeadRows)) {
    pieces.push_back(projection(rms_norm(rows, norm_hidden_states_, kNormEpsilon).to(at::kFloat)));
  }
  return at::cat(pieces).unflatten(0, {x.size(0), x.size(1)});
}

}  // namespace faststar
