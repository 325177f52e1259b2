#pragma once
#include <optional>

#include "core/base/device.h"
#include "core/lab/evaluate/attributes.h"
#include "core/lab/study/record.h"
#include "core/lab/study/study_prompt.h"

namespace faststar {

/// Prompts of a study, the first ones, of which the parts of passes are timed too: a run more for each arm.
inline constexpr int64_t kPromptsTimedByPart = 3;

/// What all arms of a study share.
struct StudyModel {
  const TestedModel& tested;
  const Schedule& schedule;
  const HeldOutClips* world = nullptr;  ///< renders what prompts of the procedural world say; null: no such prompts
  const AttributeChecker* checker = nullptr;
  Kernels kernels = Kernels::automatic;  ///< of every arm but the noise floor
  std::string setup;                     ///< see StudyRecord
};

/// The arms of one prompt. The text is encoded once; passes that an arm cannot differ in are taken from the dense run,
/// with their times. All in memory.
class PromptStudy {
 public:
  /// Runs the prompt densely. Everything is referred to and must outlive it.
  PromptStudy(const StudyModel& model, const StudyPrompt& prompt);

  /// Runs and measures one arm; of the dense one there is nothing left to run.
  StudyRecord measure(const StudyVariant& variant);

 private:
  /// A clip, from words or with its first frame given.
  struct Clip {
    ArmRun run;
    Tensor frames;   ///< [F, H, W, 3] uint8
    Tensor decoded;  ///< [3, F, H, W] float32, about [-1, 1]
    double decode_ms = 0;
  };
  ArmRequest request_of(const ReductionSettings& reduction) const;
  Clip make(const ArmRequest& request) const;
  Clip dense_clip(std::vector<Tensor> given, Spectrum spectrum) const;
  Clip arm_clip(const StudyVariant& variant, const Clip& dense) const;
  void render_truth();
  void measure_given(const StudyVariant& variant, StudyRecord& record) const;
  SeenAttributes check(const Tensor& decoded) const;
  /// Nothing where they are not wanted.
  std::vector<PartTimes> time_parts_of(const StudyVariant& variant) const;
  /// Sums of what steps took.
  template <typename Ms>
  std::vector<Ms> by_scale(const std::vector<Ms>& step_ms) const;

  const StudyModel& model_;
  const StudyPrompt& prompt_;
  TextFeatures text_;
  double text_ms_ = 0;
  Clip dense_;
  Tensor truth_;               ///< [F, H, W, 3] uint8; undefined without the procedural world
  std::optional<Clip> given_;  ///< dense, first frame given
};

}  // namespace faststar
