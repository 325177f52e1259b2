#pragma once
#include "core/base/tensor.h"

namespace faststar::test {

/// A picture by formula, uint8 [1, height, width, 3]; `shift` 0 is the original, larger ones are farther from it.
/// In numpy: (7x + 13y + 31c + (xy) % 29 + shift * ((x + 2y) % 5)) % 256.
Tensor patterned_frame(int64_t shift, int64_t height = 40, int64_t width = 56);

}  // namespace faststar::test
