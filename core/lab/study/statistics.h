#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/lab/study/results.h"

namespace faststar {

/// Summary of many values.
struct Spread {
  int64_t count = 0;
  double mean = 0;
  double deviation = 0;  ///< standard deviation of a sample (n - 1)
  double median = 0;

  double standard_error() const;  ///< of the mean; 0 of fewer than two values
};

/// All zero for no values.
Spread spread_of(std::vector<double> values);

/// How many times as fast as the dense run, everywhere in a report: the geometric mean over prompts of the dense time
/// over the variant's time, so that the time is 1 / ratio of the dense one.
struct Speedup {
  int64_t count = 0;
  double ratio = 1;
  double error = 0;  ///< standard error; 0 of fewer than two prompts

  double time() const { return 1 / ratio; }  ///< as a share of the dense time
  double time_error() const { return error / (ratio * ratio); }
};

Speedup speedup_of(std::vector<double> ratios);

/// One variant over all prompts.
struct VariantSummary {
  std::string name;
  VariantTexts settings;
  int64_t prompts = 0;
  int64_t tokens = 0;     ///< per clip
  double kept = 0;        ///< tokens computed, mean
  double work = 1;        ///< guidance rows x tokens computed, as a fraction of the dense run's; mean
  Spread psnr;            ///< dB against the dense clip, of the MSE over frames 1 and later; over prompts that differ
  int64_t identical = 0;  ///< prompts whose clip equals the dense one
  std::optional<double> pooled_psnr;  ///< dB of the mean squared error over all prompts
  double ssim = 0;
  Spread from_random;      ///< dB above the variant "random" on the same prompt; count 0 without it
  double wins = 0;         ///< fraction of these prompts where it is above
  double backbone_ms = 0;  ///< median
  double end_to_end_ms = 0;
  Speedup backbone_speedup;
  Speedup end_to_end_speedup;
  std::vector<double> scale_ms;           ///< median by scale
  std::vector<double> flipped;            ///< mean share of flipped bits by scale; empty: not measured
  std::vector<PartTimes> part_ms;         ///< medians by scale, over the prompts timed by part; empty: none
  Spread right;                           ///< 1 for a clip with all attributes of its caption right, else 0
  Spread right_from_dense;                ///< 1, 0 or -1 a prompt: right only here, alike, right only in the dense clip
  Spread given_psnr;                      ///< first frame given: dB against the dense clip
  Spread truth_psnr;                      ///< first frame given: dB against the rendered clip
  Spread truth_from_dense;                ///< dB above truth_psnr of the dense variant
  Spread truth_from_random;               ///< dB above that of the variant "random"
  Spread continued_psnr;                  ///< from the first video clip of the dense run on: dB against its later clips
  std::vector<ReducedPassRecord> passes;  ///< means over prompts
};

struct StudySummary {
  std::string setup;
  int64_t prompts = 0;                   ///< with a dense clip
  std::vector<VariantSummary> variants;  ///< in order of their first results
  std::vector<Scale> scales;
  std::vector<double> high_frequency;  ///< mean by scale, dense

  /// The variant of that name, or null.
  const VariantSummary* find(const std::string& name) const;
};

StudySummary summarize_study(const std::vector<StudyRecord>& records);

}  // namespace faststar
