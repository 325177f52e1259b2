#pragma once
#include <filesystem>

#include "core/lab/train/initial_weights.h"
#include "core/model/text/t5.h"

namespace faststar {

/// Everything that a model folder is made of.
struct TrainedModel {
  NamedTensors vae, transformer, t5;
  T5Architecture t5_architecture;
  std::filesystem::path vocabulary;  ///< spiece.model
  std::filesystem::path preset;      ///< model.yaml
};

/// Writes a folder that --model takes: bfloat16 safetensors under the official names, vocabulary and preset.
/// Files of an earlier export are replaced. Throws Error(output).
void export_model(const std::filesystem::path& folder, const TrainedModel& model);

/// All tensors of a checkpoint, as float32 and in memory of their own. Throws Error(model).
NamedTensors read_weights(const std::filesystem::path& checkpoint);

/// The tensors whose name starts with `prefix`, under the rest of their name.
NamedTensors without_prefix(const NamedTensors& tensors, const std::string& prefix);

}  // namespace faststar
