#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/tensor.h"

namespace faststar {

/// Writes `tensors` (any device, any strides) and `metadata` as one safetensors file, atomically. Equal
/// arguments give equal bytes. One tensor at a time is copied to the CPU. Throws Error(output).
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, Existing existing);

}  // namespace faststar
