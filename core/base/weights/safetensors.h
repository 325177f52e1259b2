#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/atomic_file.h"
#include "core/base/weights/mapped_file.h"
#include "core/base/weights/weights.h"

namespace faststar {

/// A tensor in the header of a safetensors file.
struct SafetensorsEntry {
  TensorInfo info;         ///< dtype Undefined when we do not know the stored one
  std::string dtype_name;  ///< as stored
  int64_t offset = 0;      ///< in the file
  int64_t bytes = 0;
};

/// One safetensors file: 8 bytes of header length, a header of JSON, the data. Tensors are views of its pages, loaded
/// when touched. Source: https://github.com/huggingface/safetensors, README "Format".
class Safetensors final : public TensorSource {
 public:
  explicit Safetensors(const std::filesystem::path& path);

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  /// Throws Error(model) when there is no such tensor or its dtype is not one we know.
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override;
  std::string origin() const override { return file_.origin(); }

  /// `__metadata__`: strings by key; empty when there are none.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

/// Opens one file and checks its header against the file. Throws Error(model).
std::shared_ptr<const Safetensors> open_safetensors(const std::filesystem::path& path);

/// Writes `tensors` (any device, any strides) and `metadata` as one safetensors file, atomically. Equal arguments give
/// equal bytes. Tensors are copied to the CPU one at a time. Throws Error(output).
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, Existing existing);

/// `text` as a JSON object. Throws Error(model) naming `origin` when it is not JSON, not an object, nested more deeply
/// than the header of a checkpoint ever is, or has a duplicate key.
nlohmann::json parse_json_object(const std::string& text, const std::string& origin);

}  // namespace faststar
