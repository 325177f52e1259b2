#include "core/base/weights/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {

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

}  // namespace faststar
