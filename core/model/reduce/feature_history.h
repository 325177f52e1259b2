#pragma once
#include <map>
#include <utility>
#include <vector>

#include "core/base/tensor.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {

/// Earlier states of the accumulated features F [1, 64, T, H, W] that scores compare with. One for each run.
class FeatureHistory {
 public:
  explicit FeatureHistory(const Schedule& schedule) : schedule_(schedule) {}

  /// The finished map of the clip that the first one goes on from.
  void set_former(const Tensor& map) { former_ = map; }

  /// Hears of every pass after its update. `changed` is false when the pass was left out, `full` when it was reduced.
  struct Update {
    const Step& step;
    const Tensor& before;
    const Tensor& after;
    bool changed = true;
    bool full = true;
  };
  void record(const Update& update);
  /// F at the entry of a reduced pass; kept for the same pass of the next clip.
  void enter(const Step& step, const Tensor& summed);

  /// F at the end of the scale before the last update's.
  const Tensor& before_scale() const { return before_scale_; }
  /// F before the last update.
  const Tensor& before_update() const { return before_update_; }
  /// F before the last update of a full pass.
  const Tensor& before_full() const { return before_full_; }
  /// True when the last update was that of a full pass.
  bool last_was_full() const { return last_was_full_; }
  /// The finished map of the clip before; undefined before an image clip.
  const Tensor& finished_before(int clip) const { return clip == 0 ? former_ : finished_[clip - 1]; }
  /// F at the entry of the same pass of the clip before; undefined when that one was not reduced.
  Tensor entry_in_previous_clip(const Step& step) const;

 private:
  void start_clip(const Step& step, const Tensor& map);

  using PassKey = std::pair<int, int>;  ///< absolute scale, repetition

  const Schedule& schedule_;
  int clip_ = -1;
  int updated_scale_ = -1;
  bool last_was_full_ = true;
  Tensor former_;
  Tensor before_scale_;
  Tensor before_update_;
  Tensor before_full_;
  std::vector<Tensor> finished_;
  std::map<PassKey, Tensor> entries_;
};

}  // namespace faststar
