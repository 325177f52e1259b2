#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/pass_shapes.h"

namespace faststar {

/// Every kernel of ours that inference uses, beside its plain reference: those of the transformer at the smallest, the
/// middle and the largest pass of the run, those of token reduction at its scales, that of the decoder at its sizes.
/// On the CPU, or without kernels, the references alone.
BenchTable bench_kernels(const OpsSubject& subject);

}  // namespace faststar
