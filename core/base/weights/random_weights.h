#pragma once
#include <memory>

#include "core/base/weights/tensor_source.h"

namespace faststar {

/// Makes every tensor that is asked for, directly on the device and in the dtype asked for: what a model
/// costs can be measured without its weights. A tensor depends on seed, name, shape, dtype and kind of device,
/// never on the order of asking. Norm scales are ones, biases normal with std 0.02, all else normal with
/// std 1/sqrt(fan-in), the elements of one output (for an embedding: of one row).
std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed);

}  // namespace faststar
