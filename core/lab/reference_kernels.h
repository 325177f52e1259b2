#pragma once
#include "core/base/device.h"

namespace faststar {

/// Every op runs its reference implementation while this lives, and `before` again afterwards.
class ReferenceKernelScope {
 public:
  explicit ReferenceKernelScope(Kernels before) : before_(before) { set_kernels(Kernels::reference); }
  ~ReferenceKernelScope() { set_kernels(before_); }
  ReferenceKernelScope(const ReferenceKernelScope&) = delete;
  ReferenceKernelScope& operator=(const ReferenceKernelScope&) = delete;

 private:
  Kernels before_;
};

}  // namespace faststar
