#pragma once
#include "core/lab/evaluate/attributes.h"
#include "core/lab/evaluate/clip_measures.h"
#include "core/lab/evaluate/tested_model.h"

namespace faststar {

/// Generates a 2 s clip for each of the first `count` prompts, with seeds 0, 1, ..., and checks its attributes.
AttributeRates test_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// The same with 1 s clips: half the length of the model's video clips.
AttributeRates test_one_second(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                               int64_t count, const EvaluationListener& listener = {});

/// Attribute rates of the first and second halves of 4 s clips.
struct HalfRates {
  AttributeRates first;
  AttributeRates second;
};

/// Generates 4 s clips.
HalfRates test_long_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener = {});

/// Results for the 2 s that a model adds to clips.
struct ContinuationScore {
  AttributeRates rates;
  ClipFidelity fidelity;  ///< to the true clips: motions of the world are deterministic
};

/// Continues the first 2 s of rendered clips and checks the 2 s that the model adds.
ContinuationScore test_continuations(const TestedModel& model, const AttributeChecker& checker,
                                     const HeldOutClips& prompts, int64_t count,
                                     const EvaluationListener& listener = {});

/// The first 2 s of clip `index` continued by 2 s, decoded: [3, F, H, W].
Tensor continue_clip(const TestedModel& model, const HeldOutClips& clips, int64_t index);

/// Attribute rates of the checker on rendered clips: compared with their own records, and with the records of the next
/// clip, which gives the rates of chance.
struct CheckerValidation {
  AttributeRates truth;
  AttributeRates shuffled;
};
CheckerValidation validate_checker(const AttributeChecker& checker, const HeldOutClips& clips, int64_t count,
                                   ClipPart part, const EvaluationListener& listener = {});

}  // namespace faststar
