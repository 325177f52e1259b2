#include "core/lab/evaluate/contact_sheet.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/lab/evaluate/measures.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

constexpr int64_t kContinuationsShown = 6;
constexpr double kContinuationCost = 2;  ///< 4 s are generated

/// Evenly spaced frames of a clip beside each other: [h, frames w, 3] uint8.
Tensor film_strip(const Tensor& clip, int64_t frames_shown) {
  const Tensor index = at::linspace(0, static_cast<double>(clip.size(1) - 1), frames_shown, clip.options()).round();
  const Tensor frames = clip.index_select(1, index.to(at::kLong)).to(at::kFloat);
  const Tensor half = at::avg_pool2d(frames.transpose(0, 1), {2, 2});       // [f, 3, h, w]
  const Tensor bytes = to_frames(half.transpose(0, 1).unsqueeze(0)).cpu();  // [f, h, w, 3]
  return bytes.transpose(0, 1).flatten(1, 2);
}

}  // namespace

Tensor contact_sheet(std::span<const Tensor> clips, int64_t frames_shown, int64_t columns) {
  constexpr int64_t kGap = 2;  // white pixels below and beside every strip
  std::vector<Tensor> strips;
  for (const Tensor& clip : clips) {
    strips.push_back(at::constant_pad_nd(film_strip(clip, frames_shown), {0, 0, 0, kGap, 0, kGap}, 255));
  }
  const auto rows = (static_cast<int64_t>(strips.size()) + columns - 1) / columns;
  while (static_cast<int64_t>(strips.size()) < rows * columns) strips.push_back(at::full_like(strips.front(), 255));
  const Tensor all = at::stack(strips).unflatten(0, {columns, rows});  // [columns, rows, h, w, 3]
  return all.flatten(1, 2).transpose(0, 1).flatten(1, 2).contiguous();
}

double sheets_cost(int video_clips) {
  return static_cast<double>(sheet_prompts().size()) + (video_clips > 1 ? kContinuationsShown * kContinuationCost : 0);
}

const std::vector<std::string>& sheet_prompts() {
  static const std::vector<std::string> prompts = {
      "a red ball bouncing on a blue striped background",
      "A red ball moves left on a blue background.",
      "a yellow star spinning on a purple checkered background",
      "a blue square moving up on a pink striped background",
      "a green triangle moving in a circle on a gray background",
      "an orange ring bouncing on a blue wavy background",
      "a black star growing on a green dotted background",
      "a purple ball shrinking on a yellow gradient background",
      "a cyan heart bouncing on a green checkered background while the camera pans right",
      "a small orange square moving down on a purple dotted background",
      "a red ball bouncing and a blue star spinning on a yellow background",
      "a green square rising and an orange ball growing on a pink background",
  };
  return prompts;
}

Tensor prompt_sheet(const EvaluatedModel& model, const PartListener& listener) {
  const c10::InferenceMode inference;
  constexpr uint64_t kSeed = 7;
  const Schedule schedule = world_schedule(model, 1);
  std::vector<Tensor> clips;
  for (const std::string& prompt : sheet_prompts()) {
    clips.push_back(generate_video(model, schedule, prompt, kSeed));
    if (listener) listener("sheet", std::ssize(clips), std::ssize(sheet_prompts()), 1);
  }
  return contact_sheet(clips, 5, 2);
}

Tensor continuation_sheet(const EvaluatedModel& model, WorldSettings world, const PartListener& listener) {
  const c10::InferenceMode inference;
  constexpr int64_t kFrames = 9;
  world.foreign_words = 0;  // like the set of continuations
  const HeldOutClips held_out(model.device(), world, HeldOutSet::continuation);
  std::vector<Tensor> clips;
  for (int64_t i = 0; i < kContinuationsShown; ++i) {
    clips.push_back(continue_clip(model, held_out, i));
    if (listener) listener("sheet of continuations", i + 1, kContinuationsShown, kContinuationCost);
  }
  return contact_sheet(clips, kFrames, 1);
}

}  // namespace faststar
