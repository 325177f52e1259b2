#pragma once
#include <cstdint>

#include "core/base/tensor.h"

namespace faststar {

/// Pixels along x after which every pattern repeats itself.
inline constexpr int64_t kPatternPeriod = 672;

/// All background patterns in the order of Pattern: [patterns, kWorldHeight, kPatternPeriod] float32 on the CPU; 0 is a
/// background's first tone, 1 its paler one. Edges lie on multiples of 48 pixels, three latent positions, where a
/// pattern has straight upright ones.
Tensor background_patterns();

}  // namespace faststar
