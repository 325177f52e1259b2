#include "core/pipeline/workload.h"

namespace faststar {

namespace {

/// Given clips are run for their keys and values alone: with every token.
bool is_reducible(const Workload& work, const Step& step) { return work.gate && step.clip >= work.given_clips; }

int64_t all_tokens(const Workload& work, const Step& step) { return work.schedule.scales()[step.scale].tokens(); }

}  // namespace

int64_t tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->kept_tokens(step) : all_tokens(work, step);
}

int64_t stream_tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->stream_tokens(step) : all_tokens(work, step);
}

int64_t context_tokens(const Workload& work, const Step& step) {
  const int64_t fixed = work.text_tokens + work.condition_tokens;
  const auto reference = work.schedule.reference_of(step.scale);
  if (!reference) return fixed;
  // Its last repetition is the one that keeps keys and values.
  return fixed + tokens_of(work, {.clip = step.clip - 1, .scale = *reference, .last_repetition = true});
}

std::vector<Step> steps_to_run(const Workload& work) {
  std::vector<Step> steps = work.schedule.steps(work.repetitions);
  std::erase_if(steps, [&](const Step& step) {
    return step.clip < work.given_clips && !work.schedule.is_referenced_later(step);
  });
  return steps;
}

DecodeSize decode_size(const Workload& work, int64_t latent_frames) {
  const Scale& full = work.schedule.full_scale(0);
  return {.height = full.h, .width = full.w, .latents = latent_frames};
}

EncodeSize encode_size(const Workload& work) {
  const Scale& full = work.schedule.full_scale(0);
  return {.height = pixels_of_features(full.h), .width = pixels_of_features(full.w), .frames = work.source_frames};
}

}  // namespace faststar
