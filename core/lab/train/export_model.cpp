#include "core/lab/train/export_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/weights/checkpoint.h"
#include "core/base/weights/safetensors.h"
#include "core/config/model_folder.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kShard = "model-00001-of-00001.safetensors";

void write_weights(const fs::path& file, const NamedTensors& tensors) {
  NamedTensors rounded;
  for (const auto& [name, tensor] : tensors) rounded[name] = tensor.to(at::kBFloat16);
  write_safetensors(file, rounded, {{"format", "pt"}}, Existing::replace);
}

/// Hugging Face's index of a sharded checkpoint, here with one shard.
void write_index(const fs::path& file, const NamedTensors& tensors) {
  nlohmann::ordered_json index;
  int64_t elements = 0;
  for (const auto& [name, tensor] : tensors) {
    index["weight_map"][name] = kShard;
    elements += tensor.numel();
  }
  index["metadata"]["total_size"] = 2 * elements;
  write_file(file, index.dump(2) + "\n", Existing::replace);
}

void write_t5_config(const fs::path& file, const T5Architecture& arch) {
  const nlohmann::ordered_json config = {{"model_type", "t5"},
                                         {"feed_forward_proj", "gated-gelu"},
                                         {"d_model", arch.width},
                                         {"d_kv", arch.head_dim},
                                         {"d_ff", arch.ffn_width},
                                         {"num_heads", arch.heads},
                                         {"num_layers", arch.layers},
                                         {"vocab_size", arch.vocabulary},
                                         {"relative_attention_num_buckets", arch.buckets},
                                         {"relative_attention_max_distance", arch.max_distance},
                                         {"layer_norm_epsilon", arch.epsilon}};
  write_file(file, config.dump(2) + "\n", Existing::replace);
}

}  // namespace

void export_model(const fs::path& folder, const TrainedModel& model) {
  const ModelLayout layout = own_layout(folder);
  for (const fs::path& part : {layout.transformer, layout.t5}) fs::create_directories(part);
  write_weights(folder / "vae.safetensors", model.vae);
  write_weights(layout.transformer / kShard, model.transformer);
  write_index(layout.transformer / "model.safetensors.index.json", model.transformer);
  write_weights(layout.t5 / "model.safetensors", model.t5);
  write_t5_config(layout.t5 / "config.json", model.t5_architecture);
  copy_file(model.vocabulary, layout.vocabulary(), Existing::replace);
  copy_file(model.preset, folder / "model.yaml", Existing::replace);
}

NamedTensors read_weights(const fs::path& checkpoint) {
  const auto source = open_checkpoint(checkpoint);
  NamedTensors tensors;
  for (const auto& [name, info] : source->tensors()) {
    tensors[name] = source->read(name, info, at::kCPU).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  }
  return tensors;
}

NamedTensors without_prefix(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors named;
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) named[name.substr(prefix.size())] = tensor;
  }
  return named;
}

}  // namespace faststar
