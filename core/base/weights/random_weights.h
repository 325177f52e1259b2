#pragma once
#include <memory>

#include "core/base/weights/weights.h"

namespace faststar {

/// Generates every tensor on the device and in the dtype asked for, so that the speed and memory of a model can be
/// measured without its weights. A tensor depends on seed, name, shape, dtype and kind of device, not on the order of
/// the calls. Norm scales are ones, biases normal with std 0.02, all else normal with
/// std 1/sqrt(fan-in), the elements of one output (for an embedding: of one row).
std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed);

}  // namespace faststar
