#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace faststar {

/// How a tensor is stored.
/// dtype Undefined: one that we cannot read; such a tensor is an error only when it is wanted.
struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
};

/// Elements of a tensor that a file describes; nothing when an extent is negative or the product absurd.
std::optional<int64_t> checked_numel(at::IntArrayRef shape);

/// Throws Error(model) naming `origin` when `name` would garble the line or terminal that it is printed on.
void check_tensor_name(const std::string& name, const std::string& origin);

/// Named tensors that some file (or generator) holds. Files are data: opening one validates all that its
/// header claims and runs nothing.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// Everything inside, by name; empty for a source that makes what is asked (random weights).
  virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
  /// The tensor `name`: from a file on the CPU as stored, and `info` is not looked at; made (random weights)
  /// on `device` as `info` asks. Valid as long as it is held. Throws Error(model) when there is none.
  virtual Tensor read(const std::string& name, const TensorInfo& info, at::Device device) const = 0;
  /// The path, as messages name it.
  virtual std::string origin() const = 0;
  /// True when read() makes any tensor that is asked for.
  virtual bool makes_any() const { return false; }
};

/// Throws Error(model): `source` holds no tensor `name`.
[[noreturn]] void fail_missing(const TensorSource& source, const std::string& name);

}  // namespace faststar
