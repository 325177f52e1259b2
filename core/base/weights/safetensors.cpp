#include "core/base/weights/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"

namespace faststar {

Safetensors::Safetensors(const std::filesystem::path& path) : file_(path), header_(read_safetensors_header(file_)) {
  for (const auto& [name, entry] : header_.entries) infos_[name] = entry.info;
}

Tensor Safetensors::read(const std::string& name, const TensorInfo&, at::Device) const {
  const auto found = header_.entries.find(name);
  if (found == header_.entries.end()) fail_missing(*this, name);
  const auto& entry = found->second;
  if (entry.info.dtype == at::ScalarType::Undefined) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: dtype {} is not supported", file_.origin(), name, entry.dtype_name));
  }
  return elements_of(file_.map(entry.offset, entry.bytes), entry.info.dtype).view(entry.info.shape);
}

std::shared_ptr<const Safetensors> open_safetensors(const std::filesystem::path& path) {
  return std::make_shared<const Safetensors>(path);
}

}  // namespace faststar
