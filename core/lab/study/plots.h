#pragma once
#include "core/lab/study/chart.h"
#include "core/lab/study/statistics.h"

/// The plots of a study. Sweeps show the variants that differ from "faststar" in one setting.
namespace faststar {

/// PSNR over speed-up, all variants.
Chart pareto_plot(const StudySummary& study);
/// PSNR over the norm that combines the two distances.
Chart norm_plot(const StudySummary& study);
/// PSNR over the ratio of the last scale.
Chart last_ratio_plot(const StudySummary& study);
/// PSNR by scorer, at equal tokens.
Chart scorer_plot(const StudySummary& study);
/// Milliseconds of each scale of the video clips, dense and reduced, stacked by part where parts were timed.
BarChart latency_plot(const StudySummary& study);
/// Fraction of the tokens pruned by a reduced pass that the next one prunes again.
Chart overlap_plot(const StudySummary& study);
/// Fraction of the energy of the accumulated features at high spatial frequencies, scale by scale.
Chart frequency_plot(const StudySummary& study);

}  // namespace faststar
