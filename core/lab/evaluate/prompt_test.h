#pragma once
#include "core/lab/evaluate/attribute_rates.h"
#include "core/lab/evaluate/clip_fidelity.h"
#include "core/lab/evaluate/tested_model.h"

namespace faststar {

/// Generates a 2 s clip for each of the first `count` prompts, with seeds 0, 1, ..., and checks it.
AttributeRates test_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// The same with clips of 1 s: half of the length of the model's video clips.
AttributeRates test_one_second(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                               int64_t count, const EvaluationListener& listener = {});

/// The halves of 4 s clips. Rates of both say how many first and second halves are right.
struct HalfRates {
  AttributeRates first;
  AttributeRates second;
};

/// Generates 4 s clips.
HalfRates test_long_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// Of the 2 s that a model adds to clips.
struct ContinuationScore {
  AttributeRates rates;
  ClipFidelity fidelity;  ///< to what the clips show there: motions of the world go on in one way only
};

/// Goes on from the first 2 s of rendered clips and checks the 2 s that the model adds.
ContinuationScore test_continuations(const TestedModel& model, const AttributeChecker& checker,
                                     const HeldOutClips& prompts, int64_t count,
                                     const EvaluationListener& listener = {});

/// One clip that goes on from the first 2 s of clip `index`, decoded: [3, F, H, W].
Tensor continue_clip(const TestedModel& model, const HeldOutClips& clips, int64_t index);

}  // namespace faststar
