#include "core/base/weights/weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/AcceleratorHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"

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

std::optional<int64_t> checked_numel(at::IntArrayRef shape) {
  constexpr int64_t kWidestElement = 16;
  int64_t numel = 1;
  int64_t bound = kWidestElement;  // in bytes, and zeros count as ones: strides multiply the same way
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(bound, std::max<int64_t>(extent, 1), &bound)) return std::nullopt;
    numel *= extent;
  }
  return numel;
}

void check_tensor_name(const std::string& name, const std::string& origin) {
  const bool printable = std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (!printable) fail(ErrorKind::model, fmt::format("{}: the name of a tensor contains control characters", origin));
}

void fail_missing(const TensorSource& source, const std::string& name) {
  fail(ErrorKind::model, fmt::format("{}: tensor {} is missing", source.origin(), name),
       fmt::format("faststar info '{}' lists its tensors", source.origin()));
}

Weights::Weights(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype)
    : source_(std::move(source)), device_(device), dtype_(dtype) {}

Tensor Weights::get(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) const {
  used_.insert(name);
  if (!source_->makes_any()) {
    const auto stored = shape_of(name);
    if (at::IntArrayRef(stored) != shape) {
      fail(ErrorKind::model, fmt::format("{}: tensor {}: expected shape {}, got {}", source_->origin(), name,
                                         shape_text(shape), shape_text(stored)));
    }
  }
  return source_->read(name, {dtype, shape.vec()}, device_).to(device_, dtype).contiguous();
}

bool Weights::has(const std::string& name) const { return source_->tensors().contains(name); }

std::vector<int64_t> Weights::shape_of(const std::string& name) const {
  const auto found = source_->tensors().find(name);
  if (found == source_->tensors().end()) fail_missing(*source_, name);
  return found->second.shape;
}

void Weights::warn_about_unused(const std::vector<std::string>& known_unused) const {
  std::vector<std::string> unused;
  for (const auto& [name, info] : source_->tensors()) {
    const bool known = std::any_of(known_unused.begin(), known_unused.end(),
                                   [&name = name](const std::string& prefix) { return name.starts_with(prefix); });
    if (!known && !used_.contains(name)) unused.push_back(name);
  }
  if (unused.empty()) return;
  log::warn("{}: {} unused tensor(s), the first is {}", source_->origin(), unused.size(), unused.front());
}

std::shared_ptr<const TensorSource> make_random_weights(uint64_t seed) {
  return std::make_shared<const RandomWeights>(seed);
}

}  // namespace faststar
