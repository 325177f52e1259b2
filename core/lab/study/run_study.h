#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/lab/evaluate/attributes.h"
#include "core/lab/evaluate/evaluated_model.h"
#include "core/lab/study/results.h"
#include "core/lab/study/study_run.h"

namespace faststar {

/// For this many first prompts the parts of passes are timed too, in one more run per variant.
inline constexpr int64_t kPromptsTimedByPart = 3;

/// What all variants of a study share.
struct StudyModel {
  const EvaluatedModel& evaluated;
  const Schedule& schedule;
  std::map<Precision, const Pipeline*> others;  ///< the model in the other precisions that variants ask for
  const HeldOutClips* world = nullptr;          ///< renders the scene of a caption; null: no such prompts
  const AttributeChecker* checker = nullptr;
  std::string setup;  ///< see StudyRecord
};

/// The variants of one prompt. The text is encoded once; the passes before a variant's first reduced scale are taken
/// from the dense run, with their times. All in memory.
class PromptStudy {
 public:
  /// Runs the prompt dense. Keeps references to both arguments.
  PromptStudy(const StudyModel& model, const StudyPrompt& prompt);

  /// Runs and measures one variant; the dense one has run already.
  StudyRecord measure(const StudyVariant& variant);

 private:
  /// A clip, from text alone or with its first frame given.
  struct Clip {
    MeasuredRun run;
    Tensor frames;   ///< [F, H, W, 3] uint8
    Tensor decoded;  ///< [3, F, H, W] float32, about [-1, 1]
    double decode_ms = 0;
  };
  GenerationSettings settings_of(const StudyVariant& variant) const;
  Clip make(const Pipeline& pipeline, const GenerationSettings& settings, std::vector<Tensor> given,
            Spectrum spectrum = Spectrum::leave) const;
  Clip dense_clip(std::vector<Tensor> given, Spectrum spectrum) const;
  /// The bits of the first `given` passes are those of `dense`, and of later ones that the variant cannot change.
  Clip variant_clip(const StudyVariant& variant, const Clip& dense, size_t given = 0) const;
  /// What runs the passes of a variant.
  Pipeline pipeline_of(const StudyVariant& variant) const;
  /// By scale; empty for a variant with the arithmetic of the dense run. Counted once for all variants of one
  /// arithmetic.
  const std::vector<double>& flipped_of(const StudyVariant& variant);
  std::vector<double> count_flipped(const StudyVariant& variant) const;
  void render_truth();
  void measure_given(const StudyVariant& variant, StudyRecord& record) const;
  /// Of videos with more than one video clip, of variants with the passes of the dense run.
  std::optional<ClipDistance> measure_continued(const StudyVariant& variant) const;
  /// How many passes come before clip `clip`.
  size_t steps_before(int clip) const;
  SeenAttributes check(const Tensor& decoded) const;
  /// Empty where parts are not timed.
  std::vector<PartTimes> time_parts_of(const StudyVariant& variant) const;
  /// Sums over the steps of each scale.
  template <typename Ms>
  std::vector<Ms> by_scale(const std::vector<Ms>& step_ms, const Repetitions& repetitions) const;

  const StudyModel& model_;
  const StudyPrompt& prompt_;
  TextFeatures text_;
  double text_ms_ = 0;
  Clip dense_;
  Tensor truth_;                                        ///< [F, H, W, 3] uint8; undefined without the procedural world
  std::optional<Clip> given_;                           ///< dense, first frame given
  std::map<std::string, std::vector<double>> flipped_;  ///< by arithmetic
};

/// A study to run.
struct StudyJob {
  std::filesystem::path folder;
  Shard shard;
  std::vector<StudyPrompt> prompts;    ///< of all processes
  std::vector<StudyVariant> variants;  ///< without the dense one and the controls
  Controls controls = Controls::run;
  StudyRun run;  ///< what is kept about this process
};

/// Measures every variant of every prompt of this process's shard, except those whose results exist (see ResultsFile
/// for errors). Throws Error(interrupted) after the current variant when `progress` asks to stop.
void run_study(const StudyModel& model, const StudyJob& job, Progress& progress);

}  // namespace faststar
