#include "core/evaluate/prompt_test.h"

#include <ATen/ATen.h>

namespace faststar {
namespace {

constexpr int kShortClips = 1, kLongClips = 2;  ///< video clips of 2 s and of 4 s

/// The last two seconds of a long clip [3, F, H, W], from the frame on that the first two end with.
Tensor second_half(const Tensor& clip) { return clip.narrow(1, clip.size(1) / 2, clip.size(1) / 2 + 1); }

Tensor first_half(const Tensor& clip) { return clip.narrow(1, 0, clip.size(1) / 2 + 1); }

/// Runs `test(i)` for every prompt and tells the listener.
template <typename Test>
void for_each_prompt(int64_t count, const EvaluationListener& listener, Test&& test) {
  for (int64_t i = 0; i < count; ++i) {
    test(i);
    if (listener) listener(i + 1, count);
  }
}

}  // namespace

AttributeRates test_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, kShortClips);
  AttributeTally tally;
  for_each_prompt(count, listener, [&](int64_t i) {
    const std::string prompt = prompts.prompt(i);
    const Tensor codes = generate_codes(model, schedule, {.prompt = prompt, .seed = static_cast<uint64_t>(i)});
    tally.add(checker(decode_frames(model, codes)), prompts.record(i), prompt);
  });
  return tally.rates();
}

HalfRates test_long_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, kLongClips);
  AttributeTally first, second;
  for_each_prompt(count, listener, [&](int64_t i) {
    const std::string prompt = prompts.prompt(i);
    const Tensor clip =
        decode_frames(model, generate_codes(model, schedule, {.prompt = prompt, .seed = static_cast<uint64_t>(i)}));
    first.add(checker(first_half(clip), ClipHalf::first), prompts.record(i), prompt);
    second.add(checker(second_half(clip), ClipHalf::second), prompts.record(i), prompt);
  });
  return {first.rates(), second.rates()};
}

Tensor continue_clip(const TestedModel& model, const HeldOutClips& clips, int64_t index) {
  const Schedule schedule = schedule_of(model, kLongClips);
  const int64_t given_frames = frames_of_latents(1 + model.latents_per_clip);
  const ClipBatch beginning = clips.render(clips.record(index), 0, given_frames);
  const Tensor codes = generate_codes(model, schedule,
                                      {.prompt = clips.prompt(index),
                                       .seed = static_cast<uint64_t>(index),
                                       .given = bits_of(model, schedule, beginning.pixels)});
  return decode_frames(model, codes);
}

AttributeRates test_continuations(const TestedModel& model, const AttributeChecker& checker,
                                  const HeldOutClips& prompts, int64_t count, const EvaluationListener& listener) {
  AttributeTally tally;
  for_each_prompt(count, listener, [&](int64_t i) {
    const Tensor clip = continue_clip(model, prompts, i);
    tally.add(checker(second_half(clip), ClipHalf::second), prompts.record(i), prompts.prompt(i));
  });
  return tally.rates();
}

}  // namespace faststar
