#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/pass_shapes.h"

namespace faststar {

/// Errors of the transformer's operations in the dtype of the run and in E4M3, where that runs, against the same
/// operands in float64: the norm of the difference over the norm of the result. Operands are normally distributed.
BenchTable bench_errors(const OpsSubject& subject);

}  // namespace faststar
