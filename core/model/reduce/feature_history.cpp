#include "core/model/reduce/feature_history.h"

namespace faststar {

void FeatureHistory::start_clip(const Step& step, const Tensor& map) {
  if (step.clip == clip_) return;
  clip_ = step.clip;
  updated_scale_ = -1;
  last_was_full_ = true;
  before_scale_ = before_update_ = before_full_ = map;
  finished_.resize(step.clip + 1);
}

void FeatureHistory::record(const Update& update) {
  const Step& step = update.step;
  start_clip(step, update.before);
  finished_[step.clip] = update.after;
  if (!update.changed) return;
  if (step.scale != updated_scale_) before_scale_ = update.before;
  updated_scale_ = step.scale;
  before_update_ = update.before;
  last_was_full_ = update.full;
  if (update.full) before_full_ = update.before;
}

void FeatureHistory::enter(const Step& step, const Tensor& summed) {
  start_clip(step, summed);
  if (step.clip + 1 < schedule_.clips()) entries_[{step.scale, step.repetition}] = summed;
}

Tensor FeatureHistory::entry_in_previous_clip(const Step& step) const {
  const auto found = entries_.find({step.scale - schedule_.scales_per_clip(), step.repetition});
  return found == entries_.end() ? Tensor() : found->second;
}

}  // namespace faststar
