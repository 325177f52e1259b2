#include "core/pipeline/story.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

namespace faststar {
namespace {

/// The last `count` latent frames.
Tensor last_frames(const Tensor& features, int64_t count) {
  return features.narrow(2, features.size(2) - count, count);
}

}  // namespace

/// One call of tell().
struct Story::Telling {
  Telling(Model& model, Request request, Progress& progress)
      : plan(make_plan(model, std::move(request))), stages(model, plan, progress) {
    for (const auto& [stage, cost] : plan.costs) progress.plan(stage, cost);
    text = stages.encode_text();
  }

  Plan plan;
  RunStages stages;
  TextFeatures text;
  std::vector<std::filesystem::path> files;
};

Story::Story(Model& model, Request shared) : model_(model), shared_(std::move(shared)) {}

/// story.mp4 -> story-003.mp4
std::filesystem::path Story::clip_file(int clip) const {
  const std::filesystem::path& joined = shared_.outputs.front().file;
  return joined.parent_path() / fmt::format("{}-{:03}{}", joined.stem().string(), clip, joined.extension().string());
}

Request Story::job_of_next_clip(const StoryLine& line) const {
  Request job = shared_;
  job.prompt = line.prompt;
  job.model_prompt = line.model_prompt;
  job.outputs.front().settings_json = line.settings_json;
  job.task = job.source || former_.defined() ? Task::interactive : Task::text_to_video;
  job.schedule = schedule_of(job.task, job.size);
  if (former_.defined()) job.source.reset();
  const int clips = job.source ? 2 : 1;
  for (int clip = clip_; clip < clip_ + clips; ++clip) check_writable(clip_file(clip), shared_.existing);
  return job;
}

void Story::check(const StoryLine& line) const { make_plan(model_, job_of_next_clip(line)); }

std::vector<std::filesystem::path> Story::tell(const StoryLine& line, Progress& progress) {
  const c10::InferenceMode inference;
  Telling telling(model_, job_of_next_clip(line), progress);
  telling.stages.set_command(task_command(Task::interactive));
  if (telling.plan.source) begin_with_source(telling);
  if (telling.plan.request.task == Task::interactive) {
    go_on(telling);
  } else {
    begin_with_words(telling);
  }
  telling.stages.finish_video();
  return telling.files;
}

void Story::begin_with_source(Telling& telling) {
  former_ = telling.stages.encode_pixels(*telling.plan.source);
  first_ = former_.narrow(2, 0, 1);
  show(telling, former_, {FirstFrame::keep, 0});
}

void Story::begin_with_words(Telling& telling) {
  former_ = telling.stages.generate({.text = telling.text, .given = {}, .seed = shared_.outputs.front().seed});
  first_ = former_.narrow(2, 0, 1);
  show(telling, former_, {shared_.first_frame, 0});
}

void Story::go_on(Telling& telling) {
  const int64_t latents = shared_.size.latents_per_clip;
  const Tensor rest = last_frames(former_, latents);
  const int last = static_cast<int>(latents) - 1;
  const Tensor clip =
      telling.stages.generate({.text = telling.text,
                               .given = {},
                               .seed = shared_.outputs.front().seed,
                               .condition = Generator::InteractiveCondition{
                                   .former = rest, .first = first_, .detail_frames = {last - 1, last}}});
  const Tensor both = at::cat({rest, clip}, 2);
  // What is shown begins where the decoder has left the former clip behind: no frame is the video's first.
  const int64_t shown_from = frames_of_latents(both.size(2)) - kFramesPerLatent * latents;
  show(telling, both, {shared_.first_frame, shown_from});
  former_ = last_frames(both, 1 + latents);
}

void Story::show(Telling& telling, const Tensor& codes, const ShownFrames& shown) {
  const bool is_source = telling.plan.source && telling.files.empty();
  const RequestedOutput& output = telling.plan.request.outputs.front();
  OutputFiles files = telling.stages.files_of(output, telling.stages.comment_of(output));
  files.file = clip_file(clip_);
  // Joined only when the clip is whole, so that a stop leaves no half of it behind.
  std::vector<Tensor> frames;
  const bool joined = !(is_source && shared_.source->only_new);
  telling.stages.decode(Stage::decode, codes, files, shown, joined ? &frames : nullptr);
  ++clip_;
  telling.files.push_back(files.file);
  if (joined) join(telling, frames);
}

void Story::join(const Telling& telling, const std::vector<Tensor>& frames) {
  const RequestedOutput& output = telling.plan.request.outputs.front();
  if (!joined_) joined_.emplace(telling.stages.files_of(output, telling.stages.comment_of(output)));
  for (const Tensor& part : frames) joined_->write(part);
}

std::optional<std::filesystem::path> Story::finish() {
  if (!joined_) return std::nullopt;
  joined_->finish();
  return shared_.outputs.front().file;
}

}  // namespace faststar
