#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/base/weights/safetensors_header.h"

namespace faststar {

/// One safetensors file. Tensors are views of its pages, loaded when touched.
class Safetensors final : public TensorSource {
 public:
  explicit Safetensors(const std::filesystem::path& path);

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  /// Throws Error(model) when there is no such tensor or its dtype is not one we know.
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override;
  std::string origin() const override { return file_.origin(); }

  /// `__metadata__`: texts that the writer left; empty when there are none.
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::map<std::string, TensorInfo> infos_;
};

/// Opens one file and checks all that its header claims. Throws Error(model).
std::shared_ptr<const Safetensors> open_safetensors(const std::filesystem::path& path);

}  // namespace faststar
