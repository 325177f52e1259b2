#include "core/base/host_copy.h"

#include <ATen/ATen.h>

#include "cuda/runtime.h"

namespace faststar {

HostCopy::HostCopy(const Tensor& source) : host_(source.contiguous()) {
  if (source.is_cpu()) return;
  const Tensor dense = host_;
  host_ = at::empty(dense.sizes(), at::TensorOptions(dense.dtype()).device(at::kCPU).pinned_memory(true));
  wait_ = cuda::copy_to_host(host_, dense);
}

const Tensor& HostCopy::get() const {
  if (wait_) wait_();
  return host_;
}

}  // namespace faststar
