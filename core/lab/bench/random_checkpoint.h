#pragma once
#include <filesystem>

#include "core/config/model_folder.h"

namespace faststar {

/// Writes a model folder with random weights of the preset's full size, as models are released: the transformer in
/// bfloat16 shards, text encoder (in shards) and VAE in float32. Of the presets 720p and 480p the names are those of
/// the official tree, of others those of our own folders. Takes the disk space of the real weights.
/// model: has sizes (ModelPreset::architecture). Throws Error(output).
void write_random_checkpoint(const ModelFolder& model, const std::filesystem::path& folder, at::Device device);

}  // namespace faststar
