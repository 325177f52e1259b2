#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/lab/study/record.h"

namespace faststar {

/// What many values come to.
struct Spread {
  int64_t count = 0;
  double mean = 0;
  double deviation = 0;  ///< standard deviation of a sample (n - 1)
  double median = 0;

  double standard_error() const;  ///< of the mean; 0 of fewer than two values
};

/// Of no values, all zero.
Spread spread_of(std::vector<double> values);

/// One arm over all prompts.
struct ArmSummary {
  std::string name;
  ReductionTexts settings;
  int64_t prompts = 0;
  int64_t tokens = 0;     ///< of a clip
  double kept = 0;        ///< mean of the tokens computed
  Spread psnr;            ///< dB against the dense clip, pooled over frames 1 and later; over prompts that differ
  int64_t identical = 0;  ///< prompts without any difference
  std::optional<double> pooled_psnr;  ///< dB of the mean squared error over all prompts
  double ssim = 0;
  Spread from_random;      ///< dB above the random arm on the same prompt; count 0 without one
  double wins = 0;         ///< share, 0..1, of these prompts where it is above
  double backbone_ms = 0;  ///< median
  double end_to_end_ms = 0;
  Spread backbone_speedup;  ///< dense over this, prompt by prompt
  Spread end_to_end_speedup;
  std::vector<double> scale_ms;           ///< median by scale
  std::vector<PartTimes> part_ms;         ///< medians by scale, of the prompts that were timed by part; empty: none
  std::optional<double> right;            ///< share of clips that show all that their caption says
  Spread given_psnr;                      ///< first frame given: dB against the dense clip
  Spread truth_psnr;                      ///< first frame given: dB against the rendered clip
  Spread truth_from_dense;                ///< dB above the dense arm's truth_psnr
  Spread truth_from_random;               ///< dB above the random arm's
  std::vector<ReducedPassRecord> passes;  ///< means over prompts
};

struct StudySummary {
  std::string setup;
  int64_t prompts = 0;           ///< with a dense clip
  std::vector<ArmSummary> arms;  ///< in the order of their first results
  std::vector<Scale> scales;
  std::vector<double> high_frequency;  ///< mean by scale, dense

  /// The arm of a name; null when it is not there.
  const ArmSummary* find(const std::string& name) const;
};

StudySummary summarize_study(const std::vector<StudyRecord>& records);

}  // namespace faststar
