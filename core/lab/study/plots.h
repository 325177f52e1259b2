#pragma once
#include "core/lab/study/chart.h"
#include "core/lab/study/statistics.h"

/// The plots of a study. Sweeps show the variants that differ from "faststar" in one setting.
namespace faststar {

/// In the order of the page, those with points to compare:
/// - PSNR to the dense clip, and correct prompts, over time: all variants, with the frontier of those that no other
///   variant beats in both;
/// - PSNR by scorer, over the norm that combines the two distances, and over the ratio of the last scale;
/// - the fraction of the tokens pruned by a reduced pass that the next one prunes again;
/// - the energy of the accumulated features at high spatial frequencies, scale by scale.
std::vector<Chart> study_plots(const StudySummary& study);

/// Milliseconds of each scale of the video clips, dense and reduced, stacked by part where parts were timed; without
/// groups when one of them was not measured.
BarChart latency_plot(const StudySummary& study);

}  // namespace faststar
