#pragma once
#include <functional>

#include "core/base/tensor.h"

namespace faststar {

/// The two branches of a transformer layer.
enum class LayerOp { attention, mlp };

/// Where in the backbone a reducer is asked.
struct LayerSite {
  size_t layer = 0;
  LayerOp op = LayerOp::attention;
};

/// Runs a branch on some tokens. tokens [B, K, C]; positions [K] int64: whose rotation each token takes; undefined:
/// tokens [B, N, C] in order. Returns [B, K, C].
using Branch = std::function<Tensor(const Tensor& tokens, const Tensor& positions)>;

/// Reduces the tokens of single branches: the residual stream keeps all of them.
class LayerReducer {
 public:
  virtual ~LayerReducer() = default;
  /// The output of a branch for all tokens. residual [B, N, C]: the stream before the branch's norm; normed: behind it.
  /// Returns [B, N, C].
  virtual Tensor run(const LayerSite& site, const Tensor& residual, const Tensor& normed, const Branch& branch) = 0;
};

}  // namespace faststar
