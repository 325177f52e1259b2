#pragma once
#include <vector>

#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/settings.h"

/// What can be wrong with reduction settings. All throw Error(usage).
namespace faststar {

/// Shares from 0 to 1, one for each of `scales` reduced scales or one for all.
void check_ratios(const std::vector<double>& ratios, size_t scales);

/// The options of every method, as far as they can be judged alone.
void check_method_options(const ReductionSettings& settings);

/// Tokens of a scale that ToMe can merge into others: all but one destination a whole cell.
int64_t merge_sources(const ToMeOptions& options, const Scale& scale);
/// ToMe must be able to get down to `kept` tokens.
void check_merge(const ToMeOptions& options, const Scale& scale, int64_t kept);

/// FastVAR and SparseVAR look back at the scale before the first reduced one, counted within a clip.
void check_scale_before(ReductionMethod method, int first_reduced);

/// Layer ranges end within a model of `layers` layers.
void check_depth(const ReductionSettings& settings, int64_t layers);

}  // namespace faststar
