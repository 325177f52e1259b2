#include "core/base/weights/weights.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {

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
  log::warn("{}: {} tensor(s) are not used, the first is {}", source_->origin(), unused.size(), unused.front());
}

}  // namespace faststar
