#include "core/model/star/transformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/profile.h"
#include "core/model/layers.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

const char* const kQuery = ".attn.q_proj.weight";

/// Of every norm in the transformer.
constexpr double kNormEpsilon = 1e-6;

void detect_layers(const Weights& weights, StarArchitecture& arch) {
  arch.layers = count_layers(weights, "blocks.", kQuery);
  arch.chunks = 1;
  if (arch.layers > 0) return;
  const int64_t layers_per_chunk = count_layers(weights, "block_chunks.0.module.", kQuery);
  arch.chunks = count_layers(weights, "block_chunks.", fmt::format(".module.0{}", kQuery));
  arch.layers = arch.chunks * layers_per_chunk;
  if (arch.layers == 0) {
    fail(ErrorKind::model, fmt::format("{}: expected a STAR transformer (block_chunks.0.module.0{}), found no layer",
                                       weights.source().origin(), kQuery));
  }
}

/// "block_chunks.5.module.5" or "blocks.35": where layer `layer` lives in a checkpoint.
std::string layer_prefix(const StarArchitecture& arch, int64_t layer) {
  if (arch.chunks == 1) return fmt::format("blocks.{}", layer);
  const int64_t layers_per_chunk = arch.layers / arch.chunks;
  return fmt::format("block_chunks.{}.module.{}", layer / layers_per_chunk, layer % layers_per_chunk);
}

void check_sizes(const StarArchitecture& arch, const std::string& origin) {
  const bool heads_fit = arch.head_dim > 0 && arch.head_dim % 8 == 0 && arch.kv_heads > 0 && arch.heads > 0 &&
                         arch.heads % arch.kv_heads == 0;
  const bool chunks_fit = arch.chunks > 0 && arch.layers >= arch.chunks && arch.layers % arch.chunks == 0;
  if (heads_fit && chunks_fit) return;
  fail(ErrorKind::model,
       fmt::format("{}: {} heads, {} kv heads of {} channels, {} layers in {} chunks: expected heads divisible by kv "
                   "heads, a head width divisible by 8 and layers divisible by chunks",
                   origin, arch.heads, arch.kv_heads, arch.head_dim, arch.layers, arch.chunks));
}

int64_t matrix_rows(const Weights& weights, const std::string& name) {
  const auto shape = weights.shape_of(name);
  if (shape.size() != 2) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: expected a matrix, got {}", weights.source().origin(), name, shape_text(shape)));
  }
  return shape[0];
}

Tensor norm_weight(const Weights& weights, const std::string& name, int64_t size, const StarArchitecture& arch) {
  const bool exact = arch.norm_weights == NormWeights::fp32;
  return weights.get(name, {size}, exact ? at::kFloat : weights.dtype()).to(at::kFloat);
}

FusedLayers one_layer(const std::string& name, int64_t rows) { return {name, {{name, rows}}}; }

/// Rows whose hidden states are widened to float32 at a time.
constexpr int64_t kHeadRows = 16384;

std::vector<Block> make_blocks(const Weights& weights, const StarArchitecture& arch) {
  std::vector<Block> blocks;
  for (int64_t layer = 0; layer < arch.layers; ++layer) blocks.emplace_back(weights, arch, layer);
  return blocks;
}

}  // namespace

StarArchitecture detect_star_architecture(const Weights& weights) {
  StarArchitecture arch;
  detect_layers(weights, arch);
  const std::string first = layer_prefix(arch, 0);
  arch.hidden_size = matrix_rows(weights, "word_embed.weight");
  const auto norm = weights.shape_of(first + ".attn.q_norm.weight");
  arch.head_dim = norm.size() == 1 ? norm[0] : 0;
  const int64_t head_dim = std::max<int64_t>(arch.head_dim, 1);
  arch.heads = matrix_rows(weights, first + kQuery) / head_dim;
  arch.kv_heads = matrix_rows(weights, first + ".attn.k_proj.weight") / head_dim;
  arch.ffn_width = matrix_rows(weights, first + ".mlp.gate_proj.weight");
  arch.max_text_length = matrix_rows(weights, "cfg_uncond");
  arch.text_width = weights.shape_of("cfg_uncond")[1];
  if (weights.has(first + ".attn.q_proj.bias")) arch.attention_bias = Linear::Bias::present;
  check_sizes(arch, weights.source().origin());
  return arch;
}

int64_t parameter_count(const StarArchitecture& arch) {
  const int64_t query = arch.heads * arch.head_dim;
  const int64_t key = arch.kv_heads * arch.head_dim;
  int64_t layer = 2 * arch.hidden_size * query + 2 * arch.hidden_size * key + 3 * arch.hidden_size * arch.ffn_width +
                  2 * arch.head_dim + 2 * arch.hidden_size;
  if (arch.attention_bias == Linear::Bias::present) layer += query + 2 * key + arch.hidden_size;
  const int64_t heads = (arch.hidden_size + 1) * 2 * (kSemanticBits + kDetailBits);
  const int64_t inputs =
      arch.max_text_length * arch.text_width + (arch.text_width + 1 + kFeatureChannels + 1) * arch.hidden_size;
  return arch.layers * layer + heads + inputs + arch.hidden_size;
}

FusedLayers qkv_layers(const StarArchitecture& arch) {
  const int64_t query = arch.heads * arch.head_dim, key = arch.kv_heads * arch.head_dim;
  return {"qkv_proj", {{"q_proj", query}, {"k_proj", key}, {"v_proj", key}}};
}

FusedLayers gate_up_layers(const StarArchitecture& arch) {
  return {"gate_up_proj", {{"gate_proj", arch.ffn_width}, {"up_proj", arch.ffn_width}}};
}

std::vector<FusedLayers> fused_layers(const StarArchitecture& arch) { return {qkv_layers(arch), gate_up_layers(arch)}; }

SelfAttention::SelfAttention(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : qkv_proj(weights, prefix, qkv_layers(arch), arch.hidden_size, arch.attention_bias, arch.linears),
      o_proj(weights, prefix, one_layer("o_proj", arch.hidden_size), arch.heads * arch.head_dim, arch.attention_bias,
             arch.linears),
      norms{norm_weight(weights, prefix + ".q_norm.weight", arch.head_dim, arch),
            norm_weight(weights, prefix + ".k_norm.weight", arch.head_dim, arch), kNormEpsilon},
      arch(arch) {}

Tensor SelfAttention::operator()(const ScaledRows& x, size_t layer, const Rope& rope, AttentionRule& rule) const {
  const Tensor attended = attend(x, layer, rope, rule).flatten(2);
  return o_proj(x.is_fp8() ? quantize_rows(attended) : attended);
}

Tensor SelfAttention::attend(const ScaledRows& x, size_t layer, const Rope& rope, AttentionRule& rule) const {
  const LayerKv place = rule.place(layer, x.values.size(0), x.values.size(1));
  const QkvHeads heads = split_qkv(qkv_proj(x), arch.kv_heads, norms, rope, place);
  return rule.attend(layer, heads.q, heads.kv);
}

Mlp::Mlp(const Weights& weights, const std::string& prefix, const StarArchitecture& arch)
    : gate_up_proj(weights, prefix, gate_up_layers(arch), arch.hidden_size, Linear::Bias::absent, arch.linears),
      down_proj(weights, prefix, one_layer("down_proj", arch.hidden_size), arch.ffn_width, Linear::Bias::absent,
                arch.linears) {}

Tensor Mlp::operator()(const ScaledRows& x) const {
  const auto feed_forward = [&](const ScaledRows& rows) {
    const Tensor gate_up = gate_up_proj(rows);
    return down_proj(x.is_fp8() ? swiglu_fp8(gate_up) : swiglu(gate_up));
  };
  const ScaledRows rows = x.flattened();  // [B L, C]
  const int64_t most = rows.values.is_cpu() ? kCpuMlpRows : kMlpRows;
  if (rows.values.size(0) <= most) return feed_forward(rows).view(x.values.sizes());
  std::vector<Tensor> pieces;
  for (const ScaledRows& piece : rows.split(most)) pieces.push_back(feed_forward(piece));
  return at::cat(pieces).view(x.values.sizes());
}

Tensor ResidualStream::total() const { return branch.defined() ? sum + branch : sum; }

Block::Block(const Weights& weights, const StarArchitecture& arch, int64_t layer)
    : index(static_cast<size_t>(layer)),
      input_layernorm(
          norm_weight(weights, layer_prefix(arch, layer) + ".input_layernorm.weight", arch.hidden_size, arch)),
      post_attention_layernorm(
          norm_weight(weights, layer_prefix(arch, layer) + ".post_attention_layernorm.weight", arch.hidden_size, arch)),
      attn(weights, layer_prefix(arch, layer) + ".attn", arch),
      mlp(weights, layer_prefix(arch, layer) + ".mlp", arch) {}

ResidualStream Block::operator()(ResidualStream x, const Rope& rope, AttentionRule& rule, LayerReducer* reducer,
                                 bool in_fp8) const {
  const bool fp8 = in_fp8 || !attn.qkv_proj.weight.defined();
  const auto attention = [&](const ScaledRows& tokens, const Tensor& positions) {
    return attn(tokens, index, positions.defined() ? gather_rope(rope, positions) : rope, rule);
  };
  const auto feed_forward = [&](const ScaledRows& tokens, const Tensor&) { return mlp(tokens); };
  const auto run = [&](LayerOp op, const Tensor& norm, const auto& branch) {
    const auto add = !reducer && fp8 ? add_rms_norm_fp8 : add_rms_norm;
    SumAndNorm rows = add(x.sum, x.branch, norm, kNormEpsilon);
    x = {rows.sum};
    if (!rows.normed.is_fp8()) rows.normed.values = rows.normed.values.to(attn.qkv_proj.dtype);
    if (!reducer) return branch(rows.normed, {});
    const ProfileRange range(PassPart::reduction);
    return reducer->run({index, op}, x.sum, rows.normed.values, [&](const Tensor& tokens, const Tensor& positions) {
      const ProfileRange whole_branch(PassPart::rest);
      return branch(fp8 ? quantize_rows(tokens) : tokens, positions);
    });
  };
  x.branch = run(LayerOp::attention, input_layernorm, attention);
  x.branch = run(LayerOp::mlp, post_attention_layernorm, feed_forward);
  return x;
}

StarTransformer::StarTransformer(const Weights& weights, const StarArchitecture& arch)
    : arch_(arch),
      text_proj_(weights, "text_proj", arch.text_width, arch.hidden_size, Linear::Bias::present),
      word_embed_(weights, "word_embed", kFeatureChannels, arch.hidden_size, Linear::Bias::present),
      cfg_uncond_(weights.get("cfg_uncond", {arch.max_text_length, arch.text_width}, at::kFloat)),
      blocks_(make_blocks(weights, arch)),
      norm_hidden_states_(weights.get("norm_hidden_sates.weight", {arch.hidden_size}, at::kFloat)),  // spelled so
      head_(weights, "head", arch.hidden_size, 2 * kDetailBits, Linear::Bias::present, at::kFloat),
      semantic_head_(weights, "semantic_head2", arch.hidden_size, 2 * kSemanticBits, Linear::Bias::present,
                     at::kFloat) {}

Tensor StarTransformer::embed_text(const Tensor& features) const { return text_proj_(features.to(device())); }

Tensor StarTransformer::unconditional_text(int64_t length) const {
  if (length > arch_.max_text_length) {
    fail(ErrorKind::usage, fmt::format("prompt: expected at most {} tokens (cfg_uncond of this checkpoint), got {}",
                                       arch_.max_text_length, length));
  }
  return cfg_uncond_.narrow(0, 0, length);
}

Tensor StarTransformer::embed_tokens(const Tensor& tokens, int64_t batch) const {
  const Tensor embedded = word_embed_(tokens);
  return batch == 1 ? embedded : embedded.expand({batch, -1, -1}).contiguous();
}

Tensor StarTransformer::run_blocks(Tensor x, const PassSetting& pass, PassKv* own) const {
  if (own) own->resize(blocks_.size());
  CachedAttention rule(pass.cache, pass.attention, own);
  return run_blocks(std::move(x), pass.rope, rule, pass.reducer, pass.fp8);
}

Tensor StarTransformer::run_blocks(Tensor x, const Rope& rope, AttentionRule& rule, LayerReducer* reducer,
                                   bool in_fp8) const {
  ResidualStream stream{std::move(x)};
  for (const Block& block : blocks_) stream = block(std::move(stream), rope, rule, reducer, in_fp8);
  return stream.total();
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
