#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/weights/mapped_file.h"
#include "core/base/weights/tensor_source.h"

namespace faststar {

/// The format's names of the dtypes that we read and write ("F32", "BF16", ...).
std::optional<at::ScalarType> dtype_from_safetensors(std::string_view name);
/// Throws Error(internal) for a dtype that the format, or we, do not have.
std::string dtype_to_safetensors(at::ScalarType dtype);

/// The first part of a safetensors file: 8 bytes of header length, then JSON.
/// Source: https://github.com/huggingface/safetensors, README "Format".
struct SafetensorsHeader {
  struct Entry {
    TensorInfo info;         ///< dtype Undefined when we do not know the stored one
    std::string dtype_name;  ///< as stored
    int64_t offset = 0;      ///< in the file
    int64_t bytes = 0;
  };
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;  ///< `__metadata__`
};

/// Reads the header and checks all that it claims against the file. Throws Error(model).
SafetensorsHeader read_safetensors_header(const MappedFile& file);

}  // namespace faststar
