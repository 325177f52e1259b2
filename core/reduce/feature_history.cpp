#include "core/reduce/feature_history.h"

#include <ATen/ATen.h>

namespace faststar {

void FeatureHistory::start_clip(const Step& step, const Tensor& map) {
  if (step.clip == clip_) return;
  clip_ = step.clip;
  updated_scale_ = -1;
  before_scale_ = before_update_ = before_full_ = map;
  finished_.resize(step.clip + 1);
}

void FeatureHistory::record(const Update& update) {
  const Step& step = update.step;
  start_clip(step, update.before);
  finished_[step.clip] = update.after;
  if (last_frames_ == LastFrames::keep && step.clip + 1 < schedule_.clips()) keep_last_frame(update);
  if (!update.changed) return;
  if (step.scale != updated_scale_) before_scale_ = update.before;
  updated_scale_ = step.scale;
  before_update_ = update.before;
  if (update.full) before_full_ = update.before;
}

void FeatureHistory::keep_last_frame(const Update& update) {
  const auto last = [](const Tensor& map) { return map.narrow(2, map.size(2) - 1, 1); };
  passes_[{update.step.scale, update.step.repetition}] = {
      last(update.before).clone(), last(update.after) - last(update.before), {}};
}

void FeatureHistory::enter(const Step& step, const Tensor& summed) {
  start_clip(step, summed);
  if (step.clip + 1 < schedule_.clips()) entries_[{step.scale, step.repetition}] = summed;
}

Tensor FeatureHistory::entry_in_previous_clip(const Step& step) const {
  const auto found = entries_.find({step.scale - schedule_.scales_per_clip(), step.repetition});
  return found == entries_.end() ? Tensor() : found->second;
}

FeatureHistory::PreviousFrame FeatureHistory::previous_frame(const Step& step) const {
  const auto found = passes_.find({step.scale - schedule_.scales_per_clip(), step.repetition});
  if (found == passes_.end()) return {};
  PreviousFrame frame = found->second;
  const Tensor& map = finished_[step.clip - 1];
  frame.finished = map.narrow(2, map.size(2) - 1, 1);
  return frame;
}

}  // namespace faststar
