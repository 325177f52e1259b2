#include "core/lab/train/parameter_set.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace faststar {
namespace {

constexpr int64_t kAlignment = 8;  // elements: 16 bytes of bfloat16

/// Tensors in two dtypes under the same names; which one is read depends on what is asked for.
class BoundSource final : public TensorSource {
 public:
  BoundSource(const std::map<std::string, Tensor>& wide, const std::map<std::string, Tensor>& narrow,
              const std::string& prefix) {
    for (const auto& [name, tensor] : wide) {
      if (!name.starts_with(prefix)) continue;
      const std::string own = name.substr(prefix.size());
      infos_[own] = {at::kFloat, tensor.sizes().vec()};
      wide_[own] = tensor;
      if (const auto found = narrow.find(name); found != narrow.end()) narrow_[own] = found->second;
    }
  }

  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  std::string origin() const override { return "weights in training"; }

  Tensor read(const std::string& name, const TensorInfo& info, at::Device) const override {
    const auto& held = info.dtype == at::kFloat || narrow_.empty() ? wide_ : narrow_;
    const auto found = held.find(name);
    if (found == held.end()) fail_missing(*this, name);
    return found->second;
  }

 private:
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, Tensor> wide_;
  std::map<std::string, Tensor> narrow_;
};

}  // namespace

ParameterLayout::ParameterLayout(const std::map<std::string, std::vector<int64_t>>& shapes,
                                 const ParameterRules& rules) {
  for (const bool decayed : {true, false}) {
    for (const auto& [name, shape] : shapes) {
      if (rules.is_decayed(name) != decayed) continue;
      const int64_t numel = c10::multiply_integers(shape);
      const int64_t padded = (numel + kAlignment - 1) / kAlignment * kAlignment;
      entries_.push_back({name, shape, numel, padded, rules.is_frozen(name)});
      size_ += padded;
    }
    if (decayed) decayed_size_ = size_;
  }
}

Tensor ParameterLayout::join(const std::map<std::string, Tensor>& tensors, const std::string& origin,
                             at::Device device) const {
  Tensor vector = at::zeros({size_}, at::kFloat);
  int64_t offset = 0;
  for (const Entry& entry : entries_) {
    const auto found = tensors.find(entry.name);
    if (found == tensors.end()) fail(ErrorKind::model, fmt::format("{}: no tensor {}", origin, entry.name));
    if (found->second.sizes() != at::IntArrayRef(entry.shape)) {
      fail(ErrorKind::model, fmt::format("{}: tensor {}: expected shape {}, got {}", origin, entry.name,
                                         shape_text(entry.shape), shape_text(found->second.sizes())));
    }
    vector.narrow(0, offset, entry.numel).copy_(found->second.reshape({-1}));
    offset += entry.padded;
  }
  return vector.to(device);
}

std::map<std::string, Tensor> ParameterLayout::split(const Tensor& vector) const {
  std::vector<int64_t> sizes;
  for (const Entry& entry : entries_) sizes.push_back(entry.padded);
  // One split, not a slice a tensor: the backward of a slice is a vector of zeros.
  const std::vector<Tensor> pieces = at::split_with_sizes(vector, sizes);
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const Tensor whole = entry.padded == entry.numel ? pieces[i] : pieces[i].narrow(0, 0, entry.numel);
    tensors[entry.name] = (entry.frozen ? whole.detach() : whole).view(entry.shape);
  }
  return tensors;
}

BoundParameters::BoundParameters(const ParameterLayout& layout, const Tensor& vector, at::ScalarType lower)
    : wide_(layout.split(vector)) {
  if (lower != at::kFloat) narrow_ = layout.split(vector.to(lower));
}

std::shared_ptr<const TensorSource> BoundParameters::source(const std::string& prefix) const {
  return std::make_shared<const BoundSource>(wide_, narrow_, prefix);
}

}  // namespace faststar
