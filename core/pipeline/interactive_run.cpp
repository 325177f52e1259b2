#include "core/pipeline/interactive_run.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/log.h"
#include "core/pipeline/kept_codes.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

Tensor last_latents(const Tensor& features, int64_t count) {
  return features.narrow(2, features.size(2) - count, count);
}

Plan announced(Plan plan) {
  log::info("time: {}", time_text(plan.time));
  return plan;
}

}  // namespace

/// One call of step().
struct InteractiveRun::CurrentStep {
  CurrentStep(Pipeline& pipeline, Request request, Progress& progress)
      : plan(announced(make_plan(pipeline, std::move(request)))),
        stages(pipeline, plan, progress),
        text(stages.encode_text()) {}

  Plan plan;
  RunStages stages;
  TextFeatures text;
  std::vector<InteractiveFile> files;
};

InteractiveRun::InteractiveRun(Pipeline& pipeline, Request shared, Config config)
    : pipeline_(pipeline),
      shared_(std::move(shared)),
      config_(std::move(config)),
      joined_file_{.file = shared_.outputs.front().file, .settings_json = shared_.outputs.front().settings_json} {}

/// story.mp4 -> story-003.mp4
std::filesystem::path InteractiveRun::clip_file(int clip) const {
  const std::filesystem::path& joined = shared_.outputs.front().file;
  return joined.parent_path() / fmt::format("{}-{:03}{}", joined.stem().string(), clip, joined.extension().string());
}

Request InteractiveRun::next_request(const std::string& prompt) const {
  Request request = shared_;
  RequestedOutput& output = request.outputs.front();
  Config config = config_;
  config.prompt.prompt = prompt;
  set_prompt(request, prompt, config);
  output.settings_json = output_settings(request, config, output.seed);
  request.task = request.source || former_.defined() ? Task::interactive : Task::text_to_video;
  request.schedule = schedule_of(request.task, request.size);
  if (former_.defined()) request.source.reset();
  const int clips = request.source ? 2 : 1;
  for (int clip = clip_; clip < clip_ + clips && pipeline_.group().is_first(); ++clip)
    check_writable(clip_file(clip), request.existing);
  return request;
}

std::optional<TimeEstimate> InteractiveRun::check(const std::string& prompt) const {
  return announced(make_plan(pipeline_, next_request(prompt))).time;
}

std::vector<InteractiveFile> InteractiveRun::step(const std::string& prompt, Progress& progress) {
  std::vector<InteractiveFile> files;
  run_planned(pipeline_.device(), [&] { files = make_clip(prompt, progress); });
  return files;
}

std::vector<InteractiveFile> InteractiveRun::make_clip(const std::string& prompt, Progress& progress) {
  const c10::InferenceMode inference;
  CurrentStep current(pipeline_, next_request(prompt), progress);
  if (current.plan.source) {
    former_ = current.stages.encode_source_pixels();
    first_ = former_.narrow(2, 0, 1);
    show(current, former_, {FirstFrame::keep, 0});
  }
  if (former_.defined()) {
    continue_clip(current);
  } else {
    former_ = current.stages.generate({.text = current.text}, shared_.outputs.front().seed);
    first_ = former_.narrow(2, 0, 1);
    show(current, former_, {shared_.first_frame, 0});
  }
  current.stages.finish_video();
  for (const auto& [stage, seconds] : current.stages.result().seconds) joined_file_.seconds[stage] += seconds;
  return current.files;
}

void InteractiveRun::continue_clip(CurrentStep& current) {
  const int64_t latents = shared_.size.latents_per_clip;
  const Tensor rest = last_latents(former_, latents);
  const int last = static_cast<int>(latents) - 1;
  const Tensor clip = current.stages.generate(
      {.text = current.text,
       .condition = InteractiveCondition{.former = rest, .first = first_, .detail_frames = {last - 1, last}}},
      shared_.outputs.front().seed);
  const Tensor both = at::cat({rest, clip}, 2);
  // What is shown begins where the decoder has left the former clip behind: no frame is the video's first.
  const int64_t shown_from = frames_of_latents(both.size(2)) - kFramesPerLatent * latents;
  show(current, both, {shared_.first_frame, shown_from});
  former_ = last_latents(both, 1 + latents);
}

/// Decodes the clip at hand into its file and the joined one.
void InteractiveRun::show(CurrentStep& current, const Tensor& codes, const ShownFrames& shown) {
  const bool is_source = current.plan.source && current.files.empty();
  const bool joined = !(is_source && shared_.leaves_out_source());
  const RequestedOutput& output = current.plan.request.outputs.front();
  OutputFiles files = current.stages.files_of(output);
  files.file = clip_file(clip_);
  // Joined only when the clip is whole, so that a stop leaves no half of it behind.
  std::optional<KeptCodes> kept;
  if (!is_source && current.stages.writes()) {
    const Request& request = current.plan.request;
    RequestedOutput clip = output;
    clip.file = files.file;
    kept.emplace(clip.file,
                 SavedCodes{{codes}, request.command, output.settings_json, pipeline_.model().vae_fingerprint()},
                 ample_bytes(request), decode_options(request, clip));
  }
  const std::vector<Tensor> frames = current.stages.decode(Stage::decode, codes, files, shown, joined);
  if (kept) kept->release();
  ++clip_;
  const RunResult& result = current.stages.result();
  peak_bytes_ = std::max(peak_bytes_, result.peak_bytes);
  current.files.push_back(
      {files.file, frames_of_latents(codes.size(2)) - shown.begin, output.settings_json, result.seconds});
  if (joined && !joined_ && current.stages.writes()) joined_.emplace(current.stages.files_of(output));
  for (const Tensor& part : frames) {
    joined_->write(part);
    joined_file_.frames += part.size(0);
  }
}

std::optional<InteractiveFile> InteractiveRun::finish() {
  if (!joined_) return std::nullopt;
  joined_->finish();
  return joined_file_;
}

}  // namespace faststar
