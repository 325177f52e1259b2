#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/pipeline/checkpoints.h"

namespace faststar {

/// The steps of loading, each alone: reading the transformer's files with all threads, which are in the page cache or
/// not as it happens; on a GPU, copying pinned memory to it and converting float32 to bfloat16 there.
BenchTable bench_load_rates(const Checkpoints& checkpoints, at::Device device);

}  // namespace faststar
