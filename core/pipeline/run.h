#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/pipeline/frame_files.h"
#include "core/pipeline/pipeline.h"
#include "core/pipeline/reduction_trace.h"
#include "core/pipeline/request.h"
#include "core/pipeline/time_estimate.h"

namespace faststar {

/// A request and all that is known of its run before any weight loads.
struct Plan {
  Request request;
  TextIds ids;
  std::optional<Tensor> source;             ///< pixels of read_source
  std::shared_ptr<const SoundTrack> sound;  ///< of the source, for its part of the video
  Workload work;
  MemoryPlan memory;
  ShownFrames shown;
  std::map<Stage, double> costs;     ///< estimated seconds of all outputs
  std::optional<TimeEstimate> time;  ///< their sum; none for a device that we know nothing about
};

/// What rates of a request's passes over a model depend on.
RatesKey rates_key(const Model& model, const Request& request);

/// Reads and tokenizes what `request` names and chooses a memory plan; saved codes need neither.
/// Throws Error(input) for the source, Error(model) for the vocabulary and for codes of another VAE, Error(device) when
/// no memory plan fits, Error(output) when the disk is full.
Plan make_plan(const Pipeline& pipeline, Request request);

/// Estimated seconds until all weights are loaded: next to none when they are random, none when they are there.
double load_cost(const Model& model, const Workload& work, const MemoryPlan& memory);

/// How a video was made.
struct RunResult {
  std::map<std::string, double, std::less<>> seconds;  ///< wall-clock time by stage name
  /// The same of each video, in order: what all share counts for each.
  std::vector<std::map<std::string, double, std::less<>>> output_seconds;
  std::vector<double> step_seconds;  ///< of the last video, by step; 0: not computed
  double file_seconds = 0;           ///< of its decode: until the file was complete
  int64_t peak_bytes = 0;            ///< most device memory of any stage; 0 on the CPU
  std::string device;                ///< "cuda:0"
  std::string prompt;                ///< as the model got it, with tag and suffix
  bool text_cut = false;             ///< the prompt was longer than the model's limit
  std::string side_error;            ///< why a trace, preview or codes could not be written; empty when all were
};

/// The stages of one run, in the order they happen. Each is timed, reports its cost, ends with Error(interrupted) when
/// `progress` asks to stop, and leaves on the device what the plan's memory mode keeps.
class RunStages {
 public:
  /// Announces the plan's costs. All are referred to and must outlive the stages.
  RunStages(const Pipeline& pipeline, const Plan& plan, Progress& progress);

  TextFeatures encode_text();
  /// Bits of the clips that the source gives; none without one.
  std::vector<Tensor> encode_source();
  /// Features of the source's pixels, as Pipeline::encode.
  Tensor encode_source_pixels();

  /// Is called after each pass with the accumulated features of all clips so far.
  using StepListener = std::function<void(const Step& step, const std::vector<Tensor>& clips)>;
  /// The accumulated features of a video: [1, 64, T, H, W]. `trace`, unless null, records what reduction decides.
  Tensor generate(const GenerationInput& input, int64_t seed, const StepListener& on_step = {},
                  ReductionTrace* trace = nullptr);

  /// Decodes into files, which the first process of a group writes. Returns their frames, uint8 [F, H, W, 3] RGB on the
  /// CPU, in parts, when asked to `keep` them.
  std::vector<Tensor> decode(Stage stage, const Tensor& codes, const OutputFiles& files, const ShownFrames& shown,
                             bool keep = false);
  /// After the last decode of a video.
  void finish_video();
  /// What the stages took so far.
  const RunResult& result() const { return result_; }

  OutputFiles files_of(const RequestedOutput& output) const;
  /// False in a process that helps another one: it makes everything and writes nothing.
  bool writes() const { return group_.is_first(); }

 private:
  class StepWatch;
  class Meter;

  bool make_room_for_decode(Stage stage);
  /// Makes what writes the frames of a decode.
  using OpenFiles = std::function<std::unique_ptr<FrameFiles>()>;
  std::vector<Tensor> decode_into(const OpenFiles& open, const Tensor& codes, const DecodeOptions& options);
  bool one_part() const { return plan_.memory.mode.residency == Residency::one_part; }
  void stop_if_asked() const;
  void load_weights();
  std::string comment_of(const RequestedOutput& output) const;

  const Pipeline& pipeline_;
  Model& model_;
  const Plan& plan_;
  Progress& progress_;
  ProcessGroup& group_;
  RunResult result_;  ///< of what all videos share, and of the one at hand
};

/// Runs the stages of a plan in `action`. Memory that is exhausted meanwhile becomes Error(device) with a hint that
/// fits: the plan said there is enough.
void run_planned(at::Device device, const std::function<void()>& action);

/// Makes the outputs of `plan` one after the other, or decodes its saved codes again; `on_file` is called with each as
/// it is finished. A stop that `progress` asks for ends it after the current step with Error(interrupted); finished
/// files stay. A trace, preview or codes that cannot be written are warned about, and the video is made. Returns what
/// it took.
RunResult run_plan(const Pipeline& pipeline, const Plan& plan, Progress& progress,
                   const std::function<void(const std::filesystem::path& file)>& on_file = {});

}  // namespace faststar
