#pragma once
#include <filesystem>
#include <memory>

#include "core/base/weights/weights.h"

namespace faststar {

/// Opens the state dict in a torch.save file: the first of these that is a dict with tensors: file["vae"],
/// file["trainer"]["gpt_fsdp"], file["state_dict"], file["model"], file. Nothing in the file is executed; what is not a
/// tensor is skipped. Tensors are views of the file's pages, loaded when touched. Every tensor is checked against its
/// storage. Throws Error(model) when the file is damaged or big-endian.
std::shared_ptr<const TensorSource> open_torch_file(const std::filesystem::path& path);

}  // namespace faststar
