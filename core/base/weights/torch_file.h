#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/base/weights/mapped_file.h"
#include "core/base/weights/torch_tensor.h"
#include "core/base/weights/zip_archive.h"

namespace faststar {

/// The state dict in a file of torch.save (torch_archive.h).
/// It is the first of these that is a dict with tensors: file["vae"], file["trainer"]["gpt_fsdp"],
/// file["state_dict"], file["model"], the file's own dict. Nothing in the file is run; what is not a tensor
/// is passed over. Tensors are views of the file's pages, loaded when touched.
class TorchFile final : public TensorSource {
 public:
  explicit TorchFile(const std::filesystem::path& path);

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  /// Throws Error(model) when there is no such tensor or its dtype is not one we know.
  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override;
  std::string origin() const override { return file_.origin(); }

 private:
  struct Stored {
    TorchTensor tensor;
    FileRange bytes;  // of the whole storage
  };

  MappedFile file_;
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, Stored> stored_;
};

/// True when `start`, the first bytes of a file, are those of torch.save, old formats included.
bool is_torch_file(std::string_view start);

/// Opens a file of torch.save and checks every tensor against its storage. Throws Error(model), also for
/// big-endian files.
std::shared_ptr<const TensorSource> open_torch_file(const std::filesystem::path& path);

}  // namespace faststar
