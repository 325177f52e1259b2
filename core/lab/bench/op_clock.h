#pragma once
#include <c10/core/Device.h>

#include <chrono>
#include <functional>

#include "core/base/tensor.h"
#include "core/lab/bench/samples.h"

namespace faststar {

using BenchClock = std::chrono::steady_clock;

inline double seconds_between(BenchClock::time_point from, BenchClock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Times single operations on a device.
class OpClock {
 public:
  explicit OpClock(at::Device device);

  /// Seconds of the work that `op` queues, after one call to warm up: about half a second of calls, 3 to 15 (on the CPU
  /// to 5). On a GPU by CUDA events, on the CPU by the host's clock. Before each call a large buffer is overwritten, so
  /// that no operand lies in a cache, and so that a GPU has work to do while the calls of the operation are queued.
  Samples time(const std::function<void()>& op) const;

 private:
  double time_once(const std::function<void()>& op) const;

  at::Device device_;
  Tensor evicting_;  ///< larger than any cache
};

/// The device's own limits, which operations are compared with: the fastest of several calls.
struct Ceilings {
  at::ScalarType dtype = at::kFloat;
  int64_t product_size = 0;  ///< rows and columns of the square matrices
  double product_flops = 0;  ///< FLOP/s of their product in `dtype`
  double copied_bytes = 0;   ///< bytes/s of a large copy, read and written
};

Ceilings measure_ceilings(at::Device device, at::ScalarType dtype);

}  // namespace faststar
