#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// Named tensors on the CPU, float32.
using NamedTensors = std::map<std::string, Tensor>;

// The layers' own loading code decides which tensors there are, so there is no list of names here. A tensor depends on
// `seed`, its name and shape, not on the order of loading.

/// A video VAE before its first step: convolutions uniform within 1/sqrt(fan-in), the second one of a residual block
/// at 0.3 of that, spatial norms near the identity, the posterior's log-variance fixed at -20.
/// Source: embedded-model.md, section 4.
NamedTensors initial_vae(const VaeArchitecture& architecture, uint64_t seed);

/// A STAR transformer before its first step: normal with std 1/sqrt(fan-in), the projections that end a residual
/// branch divided by sqrt(2 layers), heads at std 0.01.
NamedTensors initial_star(const StarArchitecture& architecture, uint64_t seed);

/// A T5 encoder before its first step. Its scores are not scaled, so that q has the factor 1/sqrt(d_kv).
NamedTensors initial_t5(const T5Architecture& architecture, uint64_t seed);

/// Names of `weights` with `prefix` in front.
NamedTensors with_prefix(const NamedTensors& weights, const std::string& prefix);

/// The content of a model folder.
struct TrainedModel {
  NamedTensors vae, transformer, t5;
  T5Architecture t5_architecture;
  std::filesystem::path vocabulary;  ///< spiece.model
  std::filesystem::path preset;      ///< model.yaml
  std::vector<std::string> words;    ///< that it was trained with
};

/// Writes a folder for --model: bfloat16 safetensors under the official names, vocabulary and preset.
/// Files of an earlier export are replaced. Throws Error(output).
void export_model(const std::filesystem::path& folder, const TrainedModel& model);

/// All tensors of a checkpoint, copied to memory as float32. Throws Error(model).
NamedTensors read_weights(const std::filesystem::path& checkpoint);

/// The tensors whose name starts with `prefix`, under the rest of their name.
NamedTensors without_prefix(const NamedTensors& tensors, const std::string& prefix);

}  // namespace faststar
