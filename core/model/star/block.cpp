#include "core/model/star/block.h"

#include <ATen/ATen.h>

#include "core/base/pass_parts.h"
#include "core/model/layers/rms_norm.h"
#include "core/model/star/norm_rope.h"
#include "core/model/star/swiglu.h"

namespace faststar {
namespace {

/// Norm weights have the backbone's precision (bf16 rounds them, as the official cast does) but are used in float32.
Tensor norm_weight(const Weights& weights, const std::string& name, int64_t width) {
  return weights.get(name, {width}).to(at::kFloat);
}

Tensor join(const Context& context, size_t layer, const Tensor& own, Tensor KeyValue::*part) {
  if (context.empty()) return own;
  std::vector<Tensor> parts;
  for (const KeyValues* earlier : context) parts.push_back((*earlier)[layer].*part);
  parts.push_back(own);
  return at::cat(parts, 1);
}

}  // namespace

AttentionRule attend_to_context(const PassSetting& pass, KeyValues* own) {
  return [&pass, own](size_t layer, const Tensor& q, const Tensor& k, const Tensor& v) {
    if (own) (*own)[layer] = {k, v};
    return timed(pass.parts, PassPart::attention, [&] {
      return attend(q, join(pass.context, layer, k, &KeyValue::k), join(pass.context, layer, v, &KeyValue::v),
                    pass.attention);
    });
  };
}

SelfAttention::SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : q_proj(weights, prefix + ".q_proj", arch.width, arch.heads * arch.head_dim, arch.attention_bias),
      k_proj(weights, prefix + ".k_proj", arch.width, arch.kv_heads * arch.head_dim, arch.attention_bias),
      v_proj(weights, prefix + ".v_proj", arch.width, arch.kv_heads * arch.head_dim, arch.attention_bias),
      o_proj(weights, prefix + ".o_proj", arch.heads * arch.head_dim, arch.width, arch.attention_bias),
      q_norm(norm_weight(weights, prefix + ".q_norm.weight", arch.head_dim)),
      k_norm(norm_weight(weights, prefix + ".k_norm.weight", arch.head_dim)),
      arch(arch) {}

Tensor SelfAttention::operator()(const Tensor& x, size_t layer, const Rope& rope, const AttentionRule& rule,
                                 PartTimer* parts) const {
  const auto split_heads = [&](const Tensor& t, int64_t heads) {
    return t.unflatten(-1, {heads, arch.head_dim});  // [B, L, heads, D]
  };
  const Tensor q = norm_rope(split_heads(q_proj(x, parts), arch.heads), q_norm, kNormEpsilon, rope);
  const Tensor k = norm_rope(split_heads(k_proj(x, parts), arch.kv_heads), k_norm, kNormEpsilon, rope);
  const Tensor v = split_heads(v_proj(x, parts), arch.kv_heads);
  return o_proj(rule(layer, q, k, v).flatten(2), parts);
}

Mlp::Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : gate_proj(weights, prefix + ".gate_proj", arch.width, arch.ffn_width, Linear::Bias::absent),
      up_proj(weights, prefix + ".up_proj", arch.width, arch.ffn_width, Linear::Bias::absent),
      down_proj(weights, prefix + ".down_proj", arch.ffn_width, arch.width, Linear::Bias::absent) {}

Tensor Mlp::operator()(const Tensor& x, PartTimer* parts) const {
  const auto feed_forward = [&](const Tensor& rows) {
    return down_proj(swiglu(gate_proj(rows, parts), up_proj(rows, parts)), parts);
  };
  const Tensor rows = x.flatten(0, 1);  // [B L, C]
  if (rows.size(0) <= kMlpRows) return feed_forward(rows).view(x.sizes());
  std::vector<Tensor> pieces;
  for (const Tensor& piece : rows.split(kMlpRows)) pieces.push_back(feed_forward(piece));
  return at::cat(pieces).view(x.sizes());
}

Block::Block(const Weights& weights, const StarArchitecture& arch, int64_t layer)
    : index(static_cast<size_t>(layer)),
      input_layernorm(norm_weight(weights, layer_prefix(arch, layer) + ".input_layernorm.weight", arch.width)),
      post_attention_layernorm(
          norm_weight(weights, layer_prefix(arch, layer) + ".post_attention_layernorm.weight", arch.width)),
      attn(weights, layer_prefix(arch, layer) + ".attn", arch),
      mlp(weights, layer_prefix(arch, layer) + ".mlp", arch) {}

Tensor Block::operator()(const Tensor& x, const Rope& rope, const AttentionRule& rule, PartTimer* parts) const {
  const Tensor attended = x + attn(narrow(rms_norm(x, input_layernorm, kNormEpsilon)), index, rope, rule, parts);
  return attended + mlp(narrow(rms_norm(attended, post_attention_layernorm, kNormEpsilon)), parts);
}

Tensor Block::run_reduced(const Tensor& x, const PassSetting& pass, KeyValues* own) const {
  const AttentionRule rule = attend_to_context(pass, own);
  const auto attention = [&](const Tensor& tokens, const Tensor& positions) {
    const Rope rope = positions.defined() ? gather_rope(pass.rope, positions) : pass.rope;
    return timed(pass.parts, PassPart::rest, [&] { return attn(tokens, index, rope, rule, pass.parts); });
  };
  const auto feed_forward = [&](const Tensor& tokens, const Tensor&) {
    return timed(pass.parts, PassPart::rest, [&] { return mlp(tokens, pass.parts); });
  };
  const auto reduced = [&](LayerOp op, const Tensor& residual, const Tensor& norm, const Branch& branch) {
    const Tensor normed = rms_norm(residual, norm, kNormEpsilon);
    return timed(pass.parts, PassPart::reduction, [&] {
      return pass.reducer->run({index, op}, residual, normed, branch);
    });
  };
  const Tensor attended = x + reduced(LayerOp::attention, x, input_layernorm, attention);
  return attended + reduced(LayerOp::mlp, attended, post_attention_layernorm, feed_forward);
}

Tensor Block::narrow(const Tensor& normed) const { return normed.to(attn.q_proj.weight.scalar_type()); }

}  // namespace faststar
