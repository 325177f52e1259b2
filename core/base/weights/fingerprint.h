#pragma once
#include <string>

#include "core/base/weights/tensor_source.h"

namespace faststar {

/// 16 hex digits that tell checkpoints apart, whatever their file format: from every tensor's name, shape,
/// dtype and first values, so that no gigabytes are read. Not cryptographic.
std::string fingerprint(const TensorSource& source);

}  // namespace faststar
