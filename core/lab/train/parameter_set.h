#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/weights/weights.h"

namespace faststar {

/// What is special about a tensor, by its name.
struct ParameterRules {
  bool (*is_decayed)(const std::string& name);  ///< weight decay applies
  bool (*is_frozen)(const std::string& name);   ///< gets no gradient
};

/// Tensors by name that share one float32 vector: the weights of a network in training, their average, their
/// moments. One vector makes clipping, Adam, averaging and the sum over GPUs one operation each, and the gradient of
/// a whole network one tensor.
class ParameterLayout {
 public:
  /// Where the tensors of `shapes` lie. Decayed ones come first, so that weight decay is a prefix.
  /// Every tensor starts at a multiple of 16 bytes, in bfloat16 too.
  ParameterLayout(const std::map<std::string, std::vector<int64_t>>& shapes, const ParameterRules& rules);

  int64_t size() const { return size_; }
  /// Elements of the front part, which weight decay applies to.
  int64_t decayed_size() const { return decayed_size_; }

  /// Joins tensors (any device and dtype) to a vector [size()] float32. Throws Error(model) naming `origin` when one
  /// is missing or has another shape.
  Tensor join(const std::map<std::string, Tensor>& tensors, const std::string& origin, at::Device device) const;

  /// The tensors of a vector, as views of it. Differentiable but for the frozen ones.
  std::map<std::string, Tensor> split(const Tensor& vector) const;

 private:
  struct Entry {
    std::string name;
    std::vector<int64_t> shape;
    int64_t numel = 0;
    int64_t padded = 0;
    bool frozen = false;
  };
  std::vector<Entry> entries_;
  int64_t size_ = 0;
  int64_t decayed_size_ = 0;
};

/// The tensors of one vector in float32 and in bfloat16, for layers to load from. Built anew in every training step:
/// the layers' gradients arrive at the vector.
class BoundParameters {
 public:
  /// `lower` is the dtype besides float32 that layers ask for.
  BoundParameters(const ParameterLayout& layout, const Tensor& vector, at::ScalarType lower);

  /// Those whose name starts with `prefix`, under the rest of their name.
  std::shared_ptr<const TensorSource> source(const std::string& prefix) const;

 private:
  std::map<std::string, Tensor> wide_;
  std::map<std::string, Tensor> narrow_;  // empty when the lower dtype is float32
};

}  // namespace faststar
