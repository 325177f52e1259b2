#pragma once
#include <vector>

#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/settings.h"

namespace faststar {

/// Which passes of a run are reduced, and to how many tokens. Ratios count in basis points (1/10,000), so that counts
/// do not depend on binary fractions: N - floor(ratio N) tokens are kept. The last of several repetitions of a scale is
/// never reduced.
class ReductionGate {
 public:
  /// `repetitions` fit `schedule` (Schedule::steps). Throws Error(usage) for settings that cannot work on it: ratios
  /// out of range or too many of them, scales that do not exist, a scale left out whole though a later clip reads its
  /// keys and values, a ToMe ratio above the share of tokens that can be merged, impossible options of a method.
  ReductionGate(const ReductionSettings& settings, const Schedule& schedule, const Repetitions& repetitions);

  bool reduces(const Step& step) const { return ratio_of(step) > 0; }
  /// True when nothing at all is computed in this pass.
  bool skips(const Step& step) const { return ratio_of(step) == kWhole; }
  /// Tokens that this pass computes: all when it is not reduced, none when it is skipped.
  int64_t kept_tokens(const Step& step) const;
  /// Rows of the residual stream: all tokens for methods that reduce inside of layers, else the kept ones.
  int64_t stream_tokens(const Step& step) const;
  /// How many of `count` positions a reduced pass keeps, before alignment: at least one.
  int64_t kept_of(int64_t count, const Step& step) const;
  /// The first reduced scale of a clip; its end when there is none.
  int first_reduced_scale(int clip) const;

  /// Basis points of a whole.
  static constexpr int kWhole = 10000;

 private:
  struct ScaleRatio {
    int basis_points = 0;
    int repetitions = 1;
    bool last_full = true;  ///< the last of several repetitions is not reduced; false for scales that are left out
    Scale scale;
  };

  void set_ratios(const ReductionSettings& settings, const Schedule& schedule);
  /// Method skip: leaves out the last scales of the last clip, as many as come nearest to the tokens that the ratios
  /// remove from all passes.
  void skip_last_scales();
  int ratio_of(const Step& step) const;

  std::vector<ScaleRatio> scales_;  ///< by absolute scale
  int scales_per_clip_;
  int keep_align_;
  bool stream_is_whole_;
};

/// Throws Error(usage) when a layer range of the method ends beyond a model of `layers` layers.
void check_depth(const ReductionSettings& settings, int64_t layers);

}  // namespace faststar
