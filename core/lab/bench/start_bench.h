#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/pipeline/request.h"

namespace faststar {

/// What a start costs, part by part: the networks that text to video needs are loaded one after the other, once with
/// the model's files dropped from the page cache and then `warm` times from it; what text, the passes of an image and
/// its decoding take longer the first time; and how fast the machine reads those files, copies to the GPU and converts
/// when it does nothing else. With random weights nothing is read. `started`: seconds from the start of the process
/// until now.
std::vector<BenchTable> bench_start(const Request& request, double started, int warm);

}  // namespace faststar
