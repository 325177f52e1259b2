#pragma once
#include "core/tensor.h"

namespace faststar {

/// The processes that train together, one a GPU. Each draws its own clips; gradients are averaged, so that all make
/// the same update.
class Workers {
 public:
  virtual ~Workers() = default;
  virtual int rank() const { return 0; }
  virtual int count() const { return 1; }
  /// Replaces `gradient` by the mean over all processes. Does not wait for the device.
  virtual void average(const Tensor& gradient) { (void)gradient; }
  /// True in every process when it is true in the first one.
  virtual bool agree(bool decision) { return decision; }
};

}  // namespace faststar
