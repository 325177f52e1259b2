#include "core/model/star/architecture.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

const char* const kQuery = ".attn.q_proj.weight";

/// Layers `<prefix>0`, `<prefix>1`, ... that the checkpoint has.
int64_t count_layers(const Weights& weights, const std::string& prefix) {
  int64_t count = 0;
  while (weights.has(fmt::format("{}{}{}", prefix, count, kQuery))) ++count;
  return count;
}

void detect_layers(const Weights& weights, StarArchitecture& arch) {
  arch.layers = count_layers(weights, "blocks.");
  arch.chunks = 1;
  if (arch.layers > 0) return;
  const int64_t layers_per_chunk = count_layers(weights, "block_chunks.0.module.");
  arch.chunks = 0;
  while (weights.has(fmt::format("block_chunks.{}.module.0{}", arch.chunks, kQuery))) ++arch.chunks;
  arch.layers = arch.chunks * layers_per_chunk;
  if (arch.layers == 0) {
    fail(ErrorKind::model, fmt::format("{}: expected a STAR transformer (block_chunks.0.module.0{}), found no layer",
                                       weights.source().origin(), kQuery));
  }
}

int64_t matrix_rows(const Weights& weights, const std::string& name) {
  const auto shape = weights.shape_of(name);
  if (shape.size() != 2) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: expected a matrix, got {}", weights.source().origin(), name, shape_text(shape)));
  }
  return shape[0];
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
  check_star_architecture(arch, weights.source().origin());
  return arch;
}

void check_star_architecture(const StarArchitecture& arch, const std::string& origin) {
  const bool heads_fit = arch.head_dim > 0 && arch.head_dim % 8 == 0 && arch.kv_heads > 0 && arch.heads > 0 &&
                         arch.heads % arch.kv_heads == 0;
  const bool chunks_fit = arch.chunks > 0 && arch.layers >= arch.chunks && arch.layers % arch.chunks == 0;
  if (heads_fit && chunks_fit) return;
  fail(ErrorKind::model,
       fmt::format("{}: {} heads, {} kv heads of {} channels, {} layers in {} chunks: expected heads divisible by kv "
                   "heads, a head width divisible by 8 and layers divisible by chunks",
                   origin, arch.heads, arch.kv_heads, arch.head_dim, arch.layers, arch.chunks));
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

std::string layer_prefix(const StarArchitecture& arch, int64_t layer) {
  if (arch.chunks == 1) return fmt::format("blocks.{}", layer);
  const int64_t layers_per_chunk = arch.layers / arch.chunks;
  return fmt::format("block_chunks.{}.module.{}", layer / layers_per_chunk, layer % layers_per_chunk);
}

const std::vector<std::string>& known_unused_star_tensors() {
  static const std::vector<std::string> prefixes = {"sos_token", "norm0_cond"};
  return prefixes;
}

}  // namespace faststar
