#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/run_bench.h"

namespace faststar {

/// What the row of the VAE's encoder is called.
inline constexpr const char* kEncodeSource = "encode a source";

/// Decode, copy to the host, encoding and file of the video that `variant` makes, each alone and as in a run, on frames
/// that look natural and on noise; and encoding a source as v2v does, with its error against float32.
BenchTable bench_media(Model& model, const BenchVariant& variant, const BenchCounts& counts);

}  // namespace faststar
