#pragma once
#include <vector>

#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/machine.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/run_bench.h"

namespace faststar {

/// What measurements are seen against.
struct BenchContext {
  Machine machine;
  Ceilings ceilings;
  std::string unread;       ///< why clocks and power are not known; empty when they are
  int other_processes = 0;  ///< on the GPU
};

/// The device as it is before the first run.
BenchContext bench_context(at::Device device, at::ScalarType dtype, const GpuMonitor& monitor);

/// A report with the machine, the ceilings and a warning when the machine is busy, to be filled.
BenchReport begin_report(const BenchContext& context);

/// All measurements of run_variants(): a table over the variants, one of the parts of the passes, and for each variant
/// one of its stages; for one that several devices make, also one against the variant before, made by one. Everything
/// is in the facts too, run by run.
BenchReport report_runs(const std::vector<BenchVariant>& variants, const std::vector<VariantRuns>& results,
                        const BenchContext& context);

}  // namespace faststar
