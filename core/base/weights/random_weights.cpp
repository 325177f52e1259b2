#include "core/base/weights/random_weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/AcceleratorHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/base/hash.h"

namespace faststar {
namespace {

constexpr double kBiasStd = 0.02;

bool is_scale(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEndings = {"norm.weight", "norm_hidden_sates.weight", ".gamma",
                                                        "scale_learnable_parameters"};
  return std::any_of(kEndings.begin(), kEndings.end(), [name](auto ending) { return name.ends_with(ending); });
}

double std_of(std::string_view name, at::IntArrayRef shape) {
  if (name.ends_with(".bias") || shape.empty()) return kBiasStd;
  const double fan_in = static_cast<double>(c10::multiply_integers(shape.slice(1)));
  return 1 / std::sqrt(std::max(fan_in, 1.0));
}

at::Generator seeded_generator(at::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::detail::createCPUGenerator(seed);
  at::Generator generator =
      at::globalContext().getAcceleratorHooksInterface(device.type()).getNewGenerator(device.index());
  generator.set_current_seed(seed);
  return generator;
}

class RandomWeights final : public TensorSource {
 public:
  explicit RandomWeights(uint64_t seed) : seed_(seed) {}

  const std::map<std::string, TensorInfo>& tensors() const override { return none_; }
  bool makes_any() const override { return true; }
  std::string origin() const override { return fmt::format("random weights (seed {})", seed_); }

  Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const override {
    const auto options = at::TensorOptions(device).dtype(info.dtype);
    if (is_scale(name)) return at::ones(info.shape, options);
    const uint64_t seed = fnv1a(fmt::format("{} {} {}", seed_, name, shape_text(info.shape)));
    return at::empty(info.shape, options).normal_(0, std_of(name, info.shape), seeded_generator(device, seed));
  }

 private:
  uint64_t seed_;
  std::map<std::string, TensorInfo> none_;
};

}  // namespace

std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed) {
  return std::make_shared<const RandomWeights>(seed);
}

}  // namespace faststar
