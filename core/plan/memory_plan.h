#pragma once
#include <string>

#include "core/plan/workload.h"

namespace faststar {

/// Most bytes that tensors hold on the device during each stage, weights included.
struct MemoryPlan {
  int64_t text = 0;     ///< text encoder and its pass; freed afterwards
  int64_t tokens = 0;   ///< transformer and VAE weights, keys and values, the largest pass
  int64_t decode = 0;   ///< the same weights and the largest slice of the VAE
  int64_t weights = 0;  ///< transformer and VAE alone

  int64_t peak() const;
  /// "25.1 GB (text 2.6, tokens 25.1, decode 20.3; weights 17.9)", GB = 10^9 bytes.
  std::string text_line() const;
};

MemoryPlan plan_memory(const Workload& work);

/// Throws Error(device), naming need and supply, when the plan does not fit on the device as it is now.
void check_fits(const MemoryPlan& plan, at::Device device);

}  // namespace faststar
