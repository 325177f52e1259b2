#pragma once
#include <filesystem>
#include <memory>

#include "core/base/weights/tensor_source.h"

namespace faststar {

/// Opens the weights at `path`: a file of safetensors or torch.save (told apart by content, not by name), or
/// a folder with, in this order, model.safetensors.index.json, model.safetensors, one *.safetensors,
/// pytorch_model.bin.index.json, pytorch_model.bin.
/// Two older names are listed under today's: `semantic_head.*` as `semantic_head2.*` (InfinityStar
/// infinity/utils/save_and_load.py) and T5's `encoder.embed_tokens.weight` as `shared.weight`.
/// Throws Error(model) when nothing is there or it is damaged.
std::shared_ptr<const TensorSource> open_checkpoint(const std::filesystem::path& path);

}  // namespace faststar
