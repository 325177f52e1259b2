#pragma once
#include "core/model/star/transformer.h"

namespace faststar::test {

/// Two narrow layers: a pass takes milliseconds on a CPU.
inline constexpr StarArchitecture kSmallModel = {.hidden_size = 64,
                                                 .heads = 4,
                                                 .kv_heads = 2,
                                                 .head_dim = 16,
                                                 .ffn_width = 96,
                                                 .layers = 2,
                                                 .text_width = 24,
                                                 .max_text_length = 32};

}  // namespace faststar::test
