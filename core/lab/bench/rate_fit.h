#pragma once
#include "core/lab/bench/bench_report.h"
#include "core/lab/bench/run_bench.h"

namespace faststar {

/// A variant and what was measured of it.
struct MeasuredVariant {
  const Workload& work;
  const VariantRuns& runs;
};

/// The rates that estimate_time() needs, from measured runs of one RatesKey. Products and attention: of the passes with
/// at least a tenth of the largest one's work. `pass` is the median of the passes that take longer than their work
/// explains, and `row` is chosen so that the estimated passes take together what the measured ones took. `start` and
/// `load` are those of the first variant.
Rates fit_rates(const std::vector<MeasuredVariant>& variants);

/// Adds the rates of each kind of variant to `file` and writes it. A file that cannot be written is warned about.
void keep_rates(RatesFile file, const Model& model, const std::vector<BenchVariant>& variants,
                const std::vector<VariantRuns>& results);

/// The same with the rate of the VAE's encoder, from the table of bench_media().
void keep_encoder_rate(RatesFile file, const Model& model, const BenchVariant& variant, const BenchTable& media);

}  // namespace faststar
