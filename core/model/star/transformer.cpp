#include "core/model/star/transformer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/model/layers/rms_norm.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// Rows whose hidden states are widened to float32 at a time.
constexpr int64_t kHeadRows = 16384;

std::vector<Block> make_blocks(const Weights& weights, const StarArchitecture& arch) {
  std::vector<Block> blocks;
  for (int64_t layer = 0; layer < arch.layers; ++layer) blocks.emplace_back(weights, arch, layer);
  return blocks;
}

Linear float_head(const Weights& weights, const std::string& name, const StarArchitecture& arch, int64_t bits) {
  return {weights, name, arch.width, 2 * bits, Linear::Bias::present, at::kFloat};
}

}  // namespace

StarTransformer::StarTransformer(const Weights& weights, const StarArchitecture& arch)
    : arch_(arch),
      text_proj_(weights, "text_proj", arch.text_width, arch.width, Linear::Bias::present),
      word_embed_(weights, "word_embed", kFeatureChannels, arch.width, Linear::Bias::present),
      cfg_uncond_(weights.get("cfg_uncond", {arch.text_rows, arch.text_width}, at::kFloat)),
      blocks_(make_blocks(weights, arch)),
      norm_hidden_states_(weights.get("norm_hidden_sates.weight", {arch.width}, at::kFloat)),  // spelled so
      head_(float_head(weights, "head", arch, kDetailBits)),
      semantic_head_(float_head(weights, "semantic_head2", arch, kSemanticBits)) {}

Tensor StarTransformer::embed_text(const Tensor& features) const { return text_proj_(features.to(device())); }

Tensor StarTransformer::unconditional_text(int64_t length) const {
  if (length > arch_.text_rows) {
    fail(ErrorKind::usage, fmt::format("prompt: expected at most {} tokens (cfg_uncond of this checkpoint), got {}",
                                       arch_.text_rows, length));
  }
  return cfg_uncond_.narrow(0, 0, length);
}

Tensor StarTransformer::embed_tokens(const Tensor& tokens) const { return word_embed_(tokens); }

Tensor StarTransformer::embed_codes(const Tensor& summed, int64_t rows) const {
  return embed_tokens(tokens_from_map(summed), rows);
}

Tensor StarTransformer::embed_tokens(const Tensor& tokens, int64_t rows, PartTimer* parts) const {
  const Tensor embedded = word_embed_(tokens, parts);
  return rows == 1 ? embedded : embedded.expand({rows, -1, -1}).contiguous();
}

Tensor StarTransformer::run_blocks(Tensor x, const PassSetting& pass, KeyValues* own) const {
  if (own) own->resize(blocks_.size());
  if (pass.reducer) {
    for (const Block& block : blocks_) x = block.run_reduced(x, pass, own);
    return x;
  }
  return run_blocks(std::move(x), pass.rope, attend_to_context(pass, own), pass.parts);
}

Tensor StarTransformer::run_blocks(Tensor x, const Rope& rope, const AttentionRule& rule, PartTimer* parts) const {
  for (const Block& block : blocks_) x = block(x, rope, rule, parts);
  return x;
}

Tensor StarTransformer::logits(const Tensor& x, Head head, PartTimer* parts) const {
  const Linear& projection = head == Head::semantic ? semantic_head_ : head_;
  std::vector<Tensor> pieces;
  for (const Tensor& rows : x.flatten(0, 1).split(kHeadRows)) {
    pieces.push_back(projection(rms_norm(rows, norm_hidden_states_, kNormEpsilon).to(at::kFloat), parts));
  }
  return at::cat(pieces).unflatten(0, {x.size(0), x.size(1)});
}

}  // namespace faststar
