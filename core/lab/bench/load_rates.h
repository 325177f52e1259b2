#pragma once
#include <filesystem>
#include <vector>

#include "core/lab/bench/bench_report.h"
#include "core/pipeline/checkpoints.h"

namespace faststar {

/// The steps of loading, each alone: reading the transformer's `files` with all threads, first after they were dropped
/// from the page cache, then from it; on a GPU, copying pinned memory to it and converting float32 to bfloat16 there.
BenchTable bench_load_rates(const Checkpoints& checkpoints, const std::vector<std::filesystem::path>& files,
                            at::Device device);

}  // namespace faststar
