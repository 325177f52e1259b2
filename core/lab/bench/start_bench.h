#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/pipeline/pipeline.h"

namespace faststar {

/// Loads the networks that text to video needs, one after the other: once with the model's files dropped from the page
/// cache, then `warm` times from it. With random weights nothing is read. `started`: seconds from the start of the
/// process until now.
BenchTable bench_start(const ModelSetup& setup, double started, int warm);

}  // namespace faststar
