#pragma once
#include "core/lab/study/chart.h"
#include "core/lab/study/statistics.h"

/// What a study shows as pictures. Sweeps are the arms that differ from the one called faststar in one setting.
namespace faststar {

/// PSNR against speed-up, every arm.
Chart pareto_plot(const StudySummary& study);
/// PSNR against the norm that joins the two distances.
Chart norm_plot(const StudySummary& study);
/// PSNR against the ratio of the last scale.
Chart last_ratio_plot(const StudySummary& study);
/// PSNR of what is scored, at equal tokens.
Chart scorer_plot(const StudySummary& study);
/// Milliseconds of each scale of the video clips, dense and reduced, stacked by part where parts were timed.
BarChart latency_plot(const StudySummary& study);
/// How a reduced pass prunes what the one before pruned.
Chart overlap_plot(const StudySummary& study);
/// Share of the energy of the accumulated features at high spatial frequencies, scale by scale.
Chart frequency_plot(const StudySummary& study);

}  // namespace faststar
