#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/model/layers/linear.h"

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
  Linear::Bias attention_bias = Linear::Bias::absent;  ///< biases of q, k, v, o (13bMHA only)
  NormWeights norm_weights = NormWeights::backbone;    ///< not in the checkpoint: the preset says it
};

/// Throws Error(model) when the tensors are not those of a STAR transformer.
StarArchitecture detect_star_architecture(const Weights& weights);

/// Throws Error(model), naming `origin`, when the numbers do not fit together.
void check_star_architecture(const StarArchitecture& arch, const std::string& origin);

int64_t parameter_count(const StarArchitecture& arch);

/// "block_chunks.5.module.5" or "blocks.35": where layer `layer` lives in a checkpoint.
std::string layer_prefix(const StarArchitecture& arch, int64_t layer);

/// Tensors of official checkpoints that inference does not need.
const std::vector<std::string>& known_unused_star_tensors();

}  // namespace faststar
