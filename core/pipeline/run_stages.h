#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "core/base/progress.h"
#include "core/pipeline/decode.h"
#include "core/pipeline/plan.h"
#include "core/pipeline/reduction_trace.h"
#include "core/pipeline/stage_meter.h"

namespace faststar {

/// The stages of one run, in the order they happen. Each reports its cost, ends with Error(interrupted) when
/// `progress` asks to stop, and leaves on the device what the plan's memory mode keeps.
class RunStages {
 public:
  /// All are referred to and must outlive the stages.
  RunStages(Model& model, const Plan& plan, Progress& progress);

  TextFeatures encode_text();
  /// Bits of the clips that the source gives; none without one.
  std::vector<Tensor> encode_source();
  /// Features of pixels, as VideoVae::encode.
  Tensor encode_pixels(const Tensor& pixels);

  /// What one video depends on besides the plan.
  struct Draw {
    const TextFeatures& text;
    const std::vector<Tensor>& given;
    int64_t seed = 0;
    std::optional<Generator::InteractiveCondition> condition;
    StepListener on_step;             ///< hears of each pass after the progress did
    ReductionTrace* trace = nullptr;  ///< records what reduction decides
  };
  /// The accumulated features of a video: [1, 64, T, H, W].
  Tensor generate(const Draw& draw);

  /// Decodes into files. `kept`, unless null, becomes their frames, uint8 [F, H, W, 3] RGB on the CPU, in parts.
  void decode(Stage stage, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
              std::vector<Tensor>* kept = nullptr);
  /// After the last decode of a video.
  void finish_video();
  /// What the stages took so far.
  const RunRecord& record() const { return record_; }

  /// Names the command that files are said to be made by; by default that of the task.
  void set_command(const char* command) { command_ = command; }
  OutputFiles files_of(const RequestedOutput& output, const std::string& comment) const;
  /// Comment of a file of this run; empty with --no-metadata.
  std::string comment_of(const RequestedOutput& output) const;

 private:
  bool one_part() const { return plan_.memory.mode.residency == Residency::one_part; }
  VaeParts vae_parts() const;
  void stop_if_asked() const;
  void load_weights();
  void report_step(const Step& step);

  Model& model_;
  const Plan& plan_;
  Progress& progress_;
  std::string command_;
  RunRecord record_;  ///< of what all videos share, and of the one at hand
};

}  // namespace faststar
