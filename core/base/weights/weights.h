#pragma once
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/base/weights/tensor_source.h"

namespace faststar {

/// The only place where weights change dtype and device: layers ask by name and get tensors ready to use.
class Weights {
 public:
  /// `dtype` is what get() converts floating-point tensors to.
  Weights(std::shared_ptr<const TensorSource> source, at::Device device, at::ScalarType dtype);

  /// The tensor `name` of exactly `shape`, on device(). Throws Error(model) naming file and tensor when it
  /// is missing or has another shape.
  Tensor get(const std::string& name, at::IntArrayRef shape) const { return get(name, shape, dtype_); }
  Tensor get(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) const;

  bool has(const std::string& name) const;
  /// The stored shape of `name`. Throws Error(model) when it is missing.
  std::vector<int64_t> shape_of(const std::string& name) const;

  /// One warning line when the file holds tensors that nobody asked for, except those whose name starts with
  /// one of `known_unused`.
  void warn_about_unused(const std::vector<std::string>& known_unused) const;

  const TensorSource& source() const { return *source_; }
  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }

 private:
  std::shared_ptr<const TensorSource> source_;
  at::Device device_;
  at::ScalarType dtype_;
  mutable std::set<std::string> used_;
};

}  // namespace faststar
