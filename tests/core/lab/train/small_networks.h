#pragma once
#include "core/lab/train/model_weights.h"
#include "core/lab/train/star_phase.h"
#include "support/support.h"

namespace faststar::test {

inline constexpr StarArchitecture kSmallStar = {.hidden_size = 32,
                                                .heads = 2,
                                                .kv_heads = 1,
                                                .head_dim = 16,
                                                .ffn_width = 48,
                                                .layers = 2,
                                                .text_width = 24,
                                                .max_text_length = 32};
inline constexpr T5Architecture kSmallT5 = {
    .hidden_size = 24, .heads = 2, .head_dim = 8, .ffn_width = 32, .layers = 1, .vocabulary = 40};
inline const VaeArchitecture kSmallVae = {.block_out_channels = {8, 16, 16, 16, 16}};

inline PyramidShape small_pyramid() {
  return {
      .scales = image_scales(0.562, "0.06M"), .repetitions = {2, 2, 2, 1, 1, 1, 2, 1, 1, 1, 1}, .semantic_scales = 8};
}

/// Transformer and text encoder as training starts them, in one vector.
inline Tensor initial_star_vector(const ParameterLayout& layout, at::Device device) {
  NamedTensors weights = with_prefix(initial_star(kSmallStar, 1), kStarPrefix);
  weights.merge(with_prefix(initial_t5(kSmallT5, 1), kT5Prefix));
  return layout.join(weights, "initial weights", device);
}

}  // namespace faststar::test
