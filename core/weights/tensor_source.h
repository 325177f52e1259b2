#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace faststar {

/// How a tensor is stored.
struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
};

/// Named tensors that some file (or generator) holds. Files are data: opening one validates all that its
/// header claims and runs nothing.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// Everything inside, by name; empty for a source that makes what is asked (random weights).
  virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
  /// The tensor `name`, on the CPU as stored, or made there; valid as long as it is held.
  /// `info` is what the caller expects; a file has checked nothing against it.
  virtual Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const = 0;
  /// The path, as messages name it.
  virtual std::string origin() const = 0;
  /// True when read() makes any tensor that is asked for.
  virtual bool makes_any() const { return false; }
};

}  // namespace faststar
