#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "core/base/weights/weights.h"

namespace faststar {

/// Opens the weights at `path`: a file of safetensors or torch.save (told apart by content, not by name), or
/// a folder with, in this order, model.safetensors.index.json, model.safetensors, one *.safetensors,
/// pytorch_model.bin.index.json, pytorch_model.bin.
/// Two older names are listed under the current ones: `semantic_head.*` as `semantic_head2.*` (InfinityStar
/// infinity/utils/save_and_load.py) and T5's `encoder.embed_tokens.weight` as `shared.weight`.
/// Throws Error(model) when nothing is there or a file is damaged.
std::shared_ptr<const TensorSource> open_checkpoint(const std::filesystem::path& path);

/// 16 hex digits that identify a checkpoint in any file format: a hash of every tensor's name, shape, dtype and first
/// values, so that gigabytes need not be read. Not cryptographic.
std::string fingerprint(const TensorSource& source);

}  // namespace faststar
