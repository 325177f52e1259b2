#pragma once
#include "core/tensor.h"

namespace faststar {

/// All background patterns of a full frame in the order of Pattern: [patterns, kWorldHeight, kWorldWidth] float32
/// on the CPU; 0 is a background's first tone, 1 its paler one. Edges lie on multiples of 48 pixels, three
/// latent positions, where a pattern has straight upright ones.
Tensor background_patterns();

}  // namespace faststar
