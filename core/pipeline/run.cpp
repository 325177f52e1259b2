#include "core/pipeline/run.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/base/log.h"

namespace faststar {
namespace {

/// The scale of a clip, counted from its first, whose accumulated features are worth a preview: it shows the whole
/// clip, and most of the work is still to come.
int preview_scale(const Schedule& schedule) {
  constexpr double kShareOfHeight = 0.4;
  const int height = schedule.scales()[static_cast<size_t>(schedule.scales_per_clip()) - 1].h;
  int scale = 0;
  while (schedule.scales()[static_cast<size_t>(scale)].h < kShareOfHeight * height) ++scale;
  return scale;
}

/// The outputs of one plan, one after the other.
class OutputRun {
 public:
  OutputRun(const Pipeline& pipeline, const Plan& plan, Progress& progress)
      : pipeline_(pipeline), request_(plan.request), plan_(plan), stages_(pipeline, plan, progress) {}

  Result make_all(const std::function<void(const std::filesystem::path&)>& on_file) {
    GenerationInput input;
    if (!request_.codes) input = {.text = stages_.encode_text(), .given_bits = stages_.encode_source()};
    for (const RequestedOutput& output : request_.outputs) {
      if (request_.codes) {
        decode(output, request_.codes->joined());
      } else {
        make(output, input);
      }
      stages_.finish_video();
      if (on_file) on_file(output.file);
    }
    return stages_.result();
  }

 private:
  void make(const RequestedOutput& output, const GenerationInput& input) {
    bool previewed = false;
    const auto on_step = [&](const Step& step, const std::vector<Tensor>& clips) {
      if (!output.preview || !shows_preview(step)) return;
      preview(output, at::cat(clips, 2), previewed ? Existing::replace : request_.existing);
      previewed = true;
    };
    ReductionTrace trace;
    const Tensor codes =
        stages_.generate(input, {.seed = output.seed, .on_step = on_step, .trace = output.trace ? &trace : nullptr});
    if (output.trace) trace.write(*output.trace, output.settings_json, output.seed, request_.existing);
    if (output.codes) write_codes(*output.codes, saved(output, codes), request_.existing);
    try {
      decode(output, codes);
    } catch (const std::exception&) {
      if (!output.codes) keep_codes(output, codes);
      throw;
    }
  }

  void decode(const RequestedOutput& output, const Tensor& codes) {
    stages_.decode(Stage::decode, codes, stages_.files_of(output), plan_.shown);
  }

  /// What took so long is not lost with a decode that fails. Throws nothing: the user must see why the decode failed.
  void keep_codes(const RequestedOutput& output, const Tensor& codes) const {
    auto file = output.file;
    file += ".codes.safetensors";
    try {
      write_codes(file, saved(output, codes), Existing::replace);
      log::warn("the decode did not finish; `faststar decode {}` repeats it", file.string());
    } catch (const std::exception& error) {
      log::warn("the decode did not finish, and its codes are lost: {}", error.what());
    }
  }

  SavedCodes saved(const RequestedOutput& output, const Tensor& codes) const {
    return {split_clips(codes, plan_.work.schedule), request_.command, output.settings_json,
            pipeline_.model().vae_fingerprint()};
  }

  /// Once a clip, for those that are made.
  bool shows_preview(const Step& step) const {
    const Schedule& schedule = plan_.work.schedule;
    return step.clip > 0 && step.clip >= plan_.work.given_clips && step.last_repetition &&
           schedule.index_in_clip(step.scale) == preview_scale(schedule);
  }

  /// The clips so far. The file is replaced when the next clip has come as far.
  void preview(const RequestedOutput& output, const Tensor& codes, Existing existing) {
    OutputFiles files = stages_.files_of(output);
    files.file = *output.preview;
    files.frames_dir.reset();
    files.extras = {};
    files.encoding.lossless = false;
    files.existing = existing;
    stages_.decode(Stage::preview, codes, files, plan_.shown);
    log::info("preview: {}", files.file.string());
  }

  const Pipeline& pipeline_;
  const Request& request_;
  const Plan& plan_;
  RunStages stages_;
};

}  // namespace

Result run_plan(const Pipeline& pipeline, const Plan& plan, Progress& progress,
                const std::function<void(const std::filesystem::path& file)>& on_file) {
  const c10::InferenceMode inference;
  return OutputRun(pipeline, plan, progress).make_all(on_file);
}

}  // namespace faststar
