#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/weights/weights.h"

namespace faststar {

/// One safetensors file: 8 bytes of header length, a header of JSON, the data. Tensors are views of its pages, loaded
/// when touched; read() throws Error(model) for a dtype that we do not know. Source:
/// https://github.com/huggingface/safetensors, README "Format".
class Safetensors final : public StoredTensors {
 public:
  explicit Safetensors(const std::filesystem::path& path);

  /// `__metadata__`: strings by key; empty when there are none.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::map<std::string, std::string> metadata_;
};

/// Opens one file and checks its header against the file. Throws Error(model).
std::shared_ptr<const Safetensors> open_safetensors(const std::filesystem::path& path);

/// Writes `tensors` (any device, any strides) and `metadata` as one safetensors file, atomically. Equal arguments give
/// equal bytes. Tensors are copied to the CPU one at a time. Throws Error(output).
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, Existing existing);

/// A tensor to write: made when its turn comes.
struct TensorToWrite {
  std::string name;
  TensorInfo info;
  std::function<Tensor()> make;  ///< as `info` says; any device, any strides
};

/// Writes the tensors one after the other, atomically; the data begin at a multiple of `alignment` bytes of the file.
/// on_written: called after each tensor with its bytes; an exception from it ends the call. Returns the size of the
/// file. Throws Error(output).
int64_t write_safetensors_in_order(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                                   const std::map<std::string, std::string>& metadata, Existing existing,
                                   size_t alignment, const std::function<void(int64_t bytes)>& on_written = {});

/// `text` as a JSON object. Throws Error(model) naming `origin` when it is not JSON, not an object, nested more deeply
/// than the header of a checkpoint ever is, or has a duplicate key.
nlohmann::json parse_json_object(const std::string& text, const std::string& origin);

}  // namespace faststar
