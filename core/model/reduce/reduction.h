#pragma once
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/model/reduce/faststar.h"
#include "core/model/reduce/gate.h"

/// Token reduction during one run. The loop over the steps (core/model/star/generator.cpp) asks Reduction, which asks
/// the gate which passes are reduced and the method (TokenReducer) which of their tokens are computed.
namespace faststar {

/// How one reduced pass is computed. Token numbers count over t x h x w.
struct ReductionPlan {
  Tensor kept;          ///< [K] int64 ascending: tokens that pass the backbone; undefined: all of them
  Tensor token_mask;    ///< [t, h, w] uint8: 1 where a code is drawn
  Tensor feature_mask;  ///< [T, H, W] uint8: 1 where the accumulated features change
  /// Restore rule: token updated[i] takes the output of row source[i] of the backbone. [U] int64 each; undefined: the
  /// kept tokens, each with its own row.
  Tensor updated;
  Tensor source;
  /// What a score was computed from, for traces: whatever the method has.
  struct Evidence {
    SimilarityMaps maps;
    SimilarityScore similarity;
  } evidence;
};

/// A pass about to run.
struct ReducedPass {
  const Step& step;
  const Scale& scale;
  const Scale& full;
  const Tensor& summed;  ///< accumulated features F [1, 64, T, H, W] float32 at the entry of the pass
  const Tensor& input;   ///< F at the scale's size: [1, 64, t, h, w]
};

/// Earlier states of the accumulated features F [1, 64, T, H, W] that scores compare with.
class FeatureHistory {
 public:
  explicit FeatureHistory(const Schedule& schedule) : schedule_(schedule) {}

  /// The finished map of the clip before the first one, where the schedule does not hold it.
  void set_former(const Tensor& map) { former_ = map; }
  /// F at the entry of a reduced pass; kept for the same pass of the next clip.
  void enter(const Step& step, const Tensor& summed);
  /// F before and after a pass, reduced or not; one tensor when the pass was left out.
  void record(const Step& step, const Tensor& before, const Tensor& after);

  /// F at the end of the scale before the last update's.
  const Tensor& before_scale() const { return before_scale_; }
  /// The finished map of the clip before; undefined before an image clip.
  const Tensor& finished_before(int clip) const { return clip == 0 ? former_ : finished_[clip - 1]; }
  /// F at the entry of the same pass of the clip before; undefined when that one was not reduced.
  Tensor entry_in_previous_clip(const Step& step) const;

 private:
  void start_clip(const Step& step, const Tensor& map);

  const Schedule& schedule_;
  int clip_ = -1;
  int updated_scale_ = -1;
  Tensor former_;
  Tensor before_scale_;
  std::vector<Tensor> finished_;
  std::map<std::pair<int, int>, Tensor> entries_;  ///< by absolute scale and repetition
};

/// The two branches of a transformer layer.
enum class LayerOp { attention, mlp };

/// A branch of a layer.
struct LayerSite {
  size_t layer = 0;
  LayerOp op = LayerOp::attention;
  auto operator<=>(const LayerSite&) const = default;
};

/// Runs a branch on some tokens. tokens [B, K, C]; positions [K] int64: whose rotation each token takes; undefined:
/// tokens [B, N, C] in order. Returns [B, K, C].
using Branch = std::function<Tensor(const Tensor& tokens, const Tensor& positions)>;

/// Reduces the tokens of single branches: the residual stream keeps all of them.
class LayerReducer {
 public:
  virtual ~LayerReducer() = default;
  /// The output of a branch for all tokens. residual [B, N, C]: the stream before the branch's norm; normed: behind it;
  /// B are the rows of the guidance batch. Returns [B, N, C].
  virtual Tensor run(const LayerSite& site, const Tensor& residual, const Tensor& normed, const Branch& branch) = 0;
};

/// What a method may look at during a run. All of it outlives the method.
struct ReductionContext {
  const ReductionSettings& settings;
  const ReductionGate& gate;
  const Schedule& schedule;
  const FeatureHistory& history;
  uint64_t seed = 0;
  Tensor embedding;    ///< weight of the token embedding [C, 64]
  int64_t layers = 0;  ///< depth of the backbone

  RandomStep random_step(const Step& step) const { return {seed, step.clip, step.scale, step.repetition}; }
};

/// One reduction method during one run.
class TokenReducer {
 public:
  virtual ~TokenReducer() = default;
  /// Called before each reduced pass that computes anything. `outcome` is the map that the whole pass leads to, defined
  /// when wants_outcome() is true.
  virtual ReductionPlan plan(const ReducedPass& pass, const Tensor& outcome) = 0;
  /// True when plan() compares with what the whole pass leads to (an ablation: nothing is saved).
  virtual bool wants_outcome() const { return false; }
  /// What takes part in every layer of a pass; null: nothing.
  virtual LayerReducer* layers(const Step&) { return nullptr; }
  /// The guided logits of every generated pass: [L, 2 d].
  virtual void see_logits(const Step&, const Tensor& /*logits*/) {}
};

// One maker a method, each defined in the file of its name.
std::unique_ptr<TokenReducer> make_faststar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_fastvar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_sparsevar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_stepvar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_tome(const ReductionContext& context);

/// Layers [begin, end) of the backbone.
struct LayerRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool contains(int64_t layer) const { return layer >= begin && layer < end; }
};

/// The layers a user chose, or the same share of `depth` that [first, last) has of the 36 layers of InfinityStar 8B; at
/// least one layer.
LayerRange layer_range(const std::vector<int>& chosen, int64_t first, int64_t last, int64_t depth);

/// The gate, the history and the method of one run; the method refers to the others.
struct Reduction {
  /// `settings` name a method; embedding [C, 64] and `layers` are the backbone's. `schedule` outlives the run;
  /// `repetitions` fit it. Throws Error(usage) when the settings fit neither the schedule nor the depth.
  Reduction(const ReductionSettings& settings, const Schedule& schedule, const Repetitions& repetitions, uint64_t seed,
            const Tensor& embedding, int64_t layers);
  Reduction(const Reduction&) = delete;

  const ReductionSettings settings;
  const ReductionGate gate;
  FeatureHistory history;
  std::unique_ptr<TokenReducer> method;
};

}  // namespace faststar
