#include "core/lab/train/model_weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/hash.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/weights.h"
#include "core/config/model_folder.h"
#include "core/model/star/transformer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// How one tensor starts.
struct TensorRequest {
  const std::string& name;
  at::IntArrayRef shape;
  at::Generator generator;

  bool ends(std::string_view ending) const { return std::string_view(name).ends_with(ending); }
  bool has(std::string_view part) const { return name.find(part) != std::string::npos; }
  double fan_in() const { return static_cast<double>(c10::multiply_integers(shape.slice(1))); }
  Tensor normal(double std) const { return at::empty(shape, at::kFloat).normal_(0, std, generator); }
  Tensor uniform(double bound) const { return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator); }
  Tensor constant(double value) const { return at::full(shape, value, at::kFloat); }
};

using InitialRule = std::function<Tensor(const TensorRequest&)>;

/// Makes every tensor that is asked for by a rule, and keeps it.
class InitialSource final : public TensorSource {
 public:
  InitialSource(uint64_t seed, InitialRule rule) : seed_(seed), rule_(std::move(rule)) {}

  const std::map<std::string, TensorInfo>& tensors() const override { return none_; }
  bool makes_any() const override { return true; }
  std::string origin() const override { return "initial weights"; }
  Tensor read(const std::string& name, const TensorInfo& info, at::Device) const override {
    const uint64_t seed = fnv1a(fmt::format("{} {} {}", seed_, name, shape_text(info.shape)));
    Tensor& tensor = made_[name];
    tensor = rule_({name, info.shape, at::detail::createCPUGenerator(seed)});
    return tensor;
  }
  const NamedTensors& made() const { return made_; }

 private:
  uint64_t seed_;
  InitialRule rule_;
  std::map<std::string, TensorInfo> none_;
  mutable NamedTensors made_;
};

/// The second half of the encoder's output is the log-variance, which the pyramid has no use for.
Tensor with_log_variance(Tensor tensor, double value) {
  tensor.narrow(0, tensor.size(0) / 2, tensor.size(0) - tensor.size(0) / 2).fill_(value);
  return tensor;
}

Tensor initial_vae_tensor(const TensorRequest& r) {
  if (r.ends(".gamma") || r.ends("scale_learnable_parameters")) return r.constant(1);
  if (r.ends("conv_y.conv.bias")) return r.constant(1);
  if (r.name == "encoder.conv_out.conv.bias") return with_log_variance(r.constant(0), -20);
  if (r.ends(".bias")) return r.constant(0);
  if (r.has("conv_y.") || r.has("conv_b.")) return r.normal(0.02);
  const Tensor weight = r.uniform(1 / std::sqrt(r.fan_in()));
  if (r.name == "encoder.conv_out.conv.weight") return with_log_variance(weight, 0);
  return r.ends("conv2.conv.weight") ? weight.mul(0.3) : weight;
}

Tensor initial_star_tensor(const TensorRequest& r, int64_t layers) {
  const double branch = 1 / std::sqrt(2.0 * static_cast<double>(layers));
  if (r.name == "cfg_uncond") return r.normal(0.5);
  if (r.name == "word_embed.bias") return r.normal(0.1);
  if (r.name == "word_embed.weight") return r.normal(0.15);
  if (r.ends(".bias")) return r.constant(0);
  if (r.shape.size() == 1) return r.constant(1);  // norms
  if (r.name == "text_proj.weight") return r.uniform(1 / std::sqrt(r.fan_in()));
  if (r.name == "head.weight" || r.name == "semantic_head2.weight") return r.normal(0.01);
  const double std = 1 / std::sqrt(r.fan_in());
  return r.normal(r.ends("o_proj.weight") || r.ends("down_proj.weight") ? std * branch : std);
}

Tensor initial_t5_tensor(const TensorRequest& r, int64_t head_dim) {
  if (r.name == "shared.weight") return r.normal(1);
  if (r.has("relative_attention_bias")) return r.normal(0.1);
  if (r.shape.size() == 1) return r.constant(1);
  const double std = 1 / std::sqrt(r.fan_in());
  if (r.ends(".q.weight")) return r.normal(std / std::sqrt(static_cast<double>(head_dim)));
  return r.normal(r.ends(".o.weight") || r.ends(".wo.weight") ? 0.5 * std : std);
}

/// The tensors that `Network` loads, made by `rule`.
template <typename Network, typename Architecture>
NamedTensors initial_weights(const Architecture& architecture, uint64_t seed, InitialRule rule) {
  const auto source = std::make_shared<InitialSource>(seed, std::move(rule));
  const Network loaded({source, at::kCPU, at::kFloat}, architecture);
  return source->made();
}

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
                                         {"d_model", arch.hidden_size},
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

NamedTensors initial_vae(const VaeArchitecture& architecture, uint64_t seed) {
  return initial_weights<VideoVae>(architecture, seed, initial_vae_tensor);
}

NamedTensors initial_star(const StarArchitecture& architecture, uint64_t seed) {
  return initial_weights<StarTransformer>(
      architecture, seed, [&](const TensorRequest& r) { return initial_star_tensor(r, architecture.layers); });
}

NamedTensors initial_t5(const T5Architecture& architecture, uint64_t seed) {
  return initial_weights<T5Encoder>(
      architecture, seed, [&](const TensorRequest& r) { return initial_t5_tensor(r, architecture.head_dim); });
}

NamedTensors with_prefix(const NamedTensors& weights, const std::string& prefix) {
  NamedTensors named;
  for (const auto& [name, tensor] : weights) named[prefix + name] = tensor;
  return named;
}

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
  write_file(folder / "words.txt", fmt::format("{}\n", fmt::join(model.words, "\n")), Existing::replace);
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
