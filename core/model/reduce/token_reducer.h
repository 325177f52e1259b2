#pragma once
#include <memory>

#include "core/base/random.h"
#include "core/model/reduce/feature_history.h"
#include "core/model/reduce/gate.h"
#include "core/model/reduce/layer_reducer.h"
#include "core/model/reduce/settings.h"
#include "core/model/reduce/similarity.h"

namespace faststar {

/// What a score was computed from, for traces: whatever the method has.
struct ScoreEvidence {
  SimilarityMaps maps;
  SimilarityScore similarity;
};

/// How one reduced pass is computed. Token numbers count over t x h x w.
struct ReductionPlan {
  Tensor kept;          ///< [K] int64 ascending: tokens that pass the backbone; undefined: all of them
  Tensor token_mask;    ///< [t, h, w] uint8: 1 where a code is drawn
  Tensor feature_mask;  ///< [T, H, W] uint8: 1 where the accumulated features change
  Tensor input;  ///< [1, 64, K]: what passes the backbone instead of the gathered accumulated features; or undefined
  /// Restore rule: token updated[i] takes the output of row source[i] of the backbone and the random numbers of token
  /// draws[i]. [U] int64 each; undefined: the kept tokens, their own rows and their own numbers.
  Tensor updated;
  Tensor source;
  Tensor draws;
  ScoreEvidence evidence;
};

/// A pass about to run.
struct ReducedPass {
  const Step& step;
  const Scale& scale;
  const Scale& full;
  const Tensor& summed;  ///< F [1, 64, T, H, W] float32 at the entry of the pass
  const Tensor& input;   ///< F at the scale's size: [1, 64, t, h, w]
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
  /// Called before each reduced pass that computes anything.
  virtual ReductionPlan plan(const ReducedPass& pass) = 0;
  /// True when plan() wants to see the map that the whole pass would lead to (an ablation: nothing is saved).
  virtual bool wants_outcome() const { return false; }
  virtual ReductionPlan plan_with_outcome(const ReducedPass& pass, const Tensor& outcome);
  /// What takes part in every layer of a pass; null: nothing. `group` numbers the guidance rows that run together.
  virtual LayerReducer* layers(const Step& step, int group);
  /// The guided logits of every pass of a video clip: [L, 2 d].
  virtual void see_logits(const Step& step, const Tensor& logits);
};

/// The method that the settings name.
std::unique_ptr<TokenReducer> make_token_reducer(const ReductionContext& context);

// One maker a method, each defined in the file of its name.
std::unique_ptr<TokenReducer> make_faststar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_fastvar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_random(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_skip(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_sparsevar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_stepvar(const ReductionContext& context);
std::unique_ptr<TokenReducer> make_tome(const ReductionContext& context);

}  // namespace faststar
