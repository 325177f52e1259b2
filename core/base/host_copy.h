#pragma once
#include <functional>

#include "core/base/tensor.h"

namespace faststar {

/// A tensor on its way to the CPU, while the GPU goes on with other work.
class HostCopy {
 public:
  /// Queues the copy into pinned memory, behind the work that makes `source`. On the CPU nothing is copied unless
  /// `source` is not contiguous.
  explicit HostCopy(const Tensor& source);
  /// Waits for the copy. Contiguous, on the CPU.
  const Tensor& get() const;

 private:
  Tensor host_;
  std::function<void()> wait_;
};

}  // namespace faststar
