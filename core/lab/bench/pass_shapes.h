#pragma once
#include <vector>

#include "core/lab/bench/op_clock.h"
#include "core/pipeline/run.h"

namespace faststar {

/// A run whose operations are timed one by one.
struct OpsSubject {
  const Plan& plan;
  Kernels kernels;  ///< reference: only the references are timed
  const Ceilings& ceilings;
  const OpClock& clock;

  const Workload& work() const { return plan.work; }
  /// Of the transformer's activations.
  at::TensorOptions options() const { return at::TensorOptions(work().device).dtype(work().dtype); }
  at::TensorOptions options(at::ScalarType dtype) const { return at::TensorOptions(work().device).dtype(dtype); }
};

/// What the operations of a pass of the transformer depend on.
struct PassShape {
  int64_t rows = 1;    ///< of the guidance batch
  int64_t tokens = 0;  ///< computed, a row
  int64_t keys = 0;    ///< attended to: its own, text and reference
  int64_t bits = 0;    ///< a token

  bool operator==(const PassShape&) const = default;
};

/// A shape and how often the run has it.
struct CountedShape {
  PassShape shape;
  int passes = 0;
};

/// The shapes of all passes of a run that compute something, each once, in the order of their first pass.
std::vector<CountedShape> pass_shapes(const Plan& plan);

}  // namespace faststar
