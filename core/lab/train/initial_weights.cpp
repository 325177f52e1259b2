#include "core/lab/train/initial_weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "core/base/hash.h"
#include "core/model/star/transformer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

/// How one tensor starts.
struct Request {
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

using InitialRule = std::function<Tensor(const Request&)>;

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
Tensor silence_variance(Tensor tensor, double value) {
  tensor.narrow(0, tensor.size(0) / 2, tensor.size(0) - tensor.size(0) / 2).fill_(value);
  return tensor;
}

Tensor initial_vae_tensor(const Request& r) {
  if (r.ends(".gamma") || r.ends("scale_learnable_parameters")) return r.constant(1);
  if (r.ends("conv_y.conv.bias")) return r.constant(1);
  if (r.name == "encoder.conv_out.conv.bias") return silence_variance(r.constant(0), -20);
  if (r.ends(".bias")) return r.constant(0);
  if (r.has("conv_y.") || r.has("conv_b.")) return r.normal(0.02);
  const Tensor weight = r.uniform(1 / std::sqrt(r.fan_in()));
  if (r.name == "encoder.conv_out.conv.weight") return silence_variance(weight, 0);
  return r.ends("conv2.conv.weight") ? weight.mul(0.3) : weight;
}

Tensor initial_star_tensor(const Request& r, int64_t layers) {
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

Tensor initial_t5_tensor(const Request& r, int64_t head_dim) {
  if (r.name == "shared.weight") return r.normal(1);
  if (r.has("relative_attention_bias")) return r.normal(0.1);
  if (r.shape.size() == 1) return r.constant(1);
  const double std = 1 / std::sqrt(r.fan_in());
  if (r.ends(".q.weight")) return r.normal(std / std::sqrt(static_cast<double>(head_dim)));
  return r.normal(r.ends(".o.weight") || r.ends(".wo.weight") ? 0.5 * std : std);
}

}  // namespace

NamedTensors initial_vae(const VaeArchitecture& architecture, uint64_t seed) {
  const auto source = std::make_shared<InitialSource>(seed, initial_vae_tensor);
  const VideoVae loaded({source, at::kCPU, at::kFloat}, architecture);
  return source->made();
}

NamedTensors initial_star(const StarArchitecture& architecture, uint64_t seed) {
  const auto rule = [&](const Request& r) { return initial_star_tensor(r, architecture.layers); };
  const auto source = std::make_shared<InitialSource>(seed, rule);
  const StarTransformer loaded({source, at::kCPU, at::kFloat}, architecture);
  return source->made();
}

NamedTensors initial_t5(const T5Architecture& architecture, uint64_t seed) {
  const auto rule = [&](const Request& r) { return initial_t5_tensor(r, architecture.head_dim); };
  const auto source = std::make_shared<InitialSource>(seed, rule);
  const T5Encoder loaded({source, at::kCPU, at::kFloat}, architecture);
  return source->made();
}

NamedTensors with_prefix(const NamedTensors& weights, const std::string& prefix) {
  NamedTensors named;
  for (const auto& [name, tensor] : weights) named[prefix + name] = tensor;
  return named;
}

}  // namespace faststar
