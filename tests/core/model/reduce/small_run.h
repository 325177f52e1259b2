#pragma once
#include <c10/core/InferenceMode.h>

#include "core/base/weights/weights.h"
#include "core/model/star/small_model.h"
#include "core/model/star/test_observer.h"
#include "support/support.h"

namespace faststar::test {

/// A two-layer model over clips of 1, 2, 2 and 1 frames with four scales each; the last three scales are reduced.
struct SmallRun {
  explicit SmallRun(at::Device device)
      : model({make_random_weights(1), device, at::kFloat}, kSmallModel), schedule(make_scales()) {
    settings.repetitions = {{1, 1, 1, 1}, {1, 3, 2, 1}};
    settings.semantic_scales = 2;
    settings.seed = 5;
    settings.reduction.scales.last = 3;
    settings.reduction.ratios = {0.2, 0.4, 0.7};
    text.cond = seeded_randn({6, kSmallModel.text_width}, 2, device);
    text.uncond = model.unconditional_text(6);
  }

  static Schedule make_scales() {
    std::vector<Scale> scales;
    for (const int frames : {1, 2, 2, 1}) {
      for (const auto& [h, w] : {std::pair{1, 1}, {2, 3}, {4, 7}, {6, 10}}) scales.push_back({frames, h, w});
    }
    return Schedule(std::move(scales));
  }

  StarTransformer model;
  Schedule schedule;
  GenerationSettings settings;
  TextFeatures text;
  c10::InferenceMode inference;
};

/// What a reduced step did.
struct RecordedStep {
  Step step;
  ReductionPlan plan;
  Tensor input, codes, output;
};

struct RecordedRun {
  Tensor summed;
  std::vector<Tensor> bits;  ///< by step, as far as bits were drawn
  std::vector<RecordedStep> reduced;
};

inline RecordedRun record(const SmallRun& run, const std::optional<InteractiveCondition>& former = {}) {
  RecordedRun recorded;
  TestObserver observer;
  observer.bits = [&](const StepResult& result) {
    recorded.bits.push_back(result.bits);
    return result.bits;
  };
  observer.reduced = [&](const ReducedStep& step) {
    recorded.reduced.push_back({step.step, step.plan, step.input, step.codes, step.output});
  };
  recorded.summed = generate(run.model, run.schedule, run.settings, {.text = run.text, .condition = former}, &observer);
  return recorded;
}

}  // namespace faststar::test
