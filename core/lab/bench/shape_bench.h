#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/pass_shapes.h"

namespace faststar {

/// Every matrix product of the transformer's layers at every number of rows of the run, in its dtype or in E4M3.
BenchTable bench_linears(const OpsSubject& subject, LinearPrecision precision = LinearPrecision::backbone);

/// Attention at every shape of the run, by every backend that runs here.
BenchTable bench_attention(const OpsSubject& subject);

}  // namespace faststar
