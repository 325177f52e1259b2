#include "core/lab/evaluate/prompt_test.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <deque>
#include <future>
#include <thread>

namespace faststar {
namespace {

constexpr int kShortClips = 1, kLongClips = 2;  ///< video clips of 2 s and of 4 s

/// The last two seconds of a long clip [3, F, H, W], starting with the last frame of the first two.
Tensor second_half(const Tensor& clip) { return clip.narrow(1, clip.size(1) / 2, clip.size(1) / 2 + 1); }

Tensor first_half(const Tensor& clip) { return clip.narrow(1, 0, clip.size(1) / 2 + 1); }

/// Checks clips on other cores while the next ones are generated.
class BackgroundChecks {
 public:
  BackgroundChecks(const AttributeChecker& checker, const HeldOutClips& prompts)
      : checker_(checker), prompts_(prompts) {}

  /// `clip` was generated for prompt `index`.
  void add(const Tensor& clip, int64_t index, ClipPart part = ClipPart::first_half) {
    pending_.push_back({index, std::async(std::launch::async, [this, part, frames = AttributeChecker::look(clip)] {
                          const c10::InferenceMode inference;
                          return checker_.read(frames, part);
                        })});
    if (pending_.size() > std::thread::hardware_concurrency()) finish_one();
  }

  AttributeRates rates() {
    while (!pending_.empty()) finish_one();
    return tally_.rates();
  }

 private:
  struct Check {
    int64_t index;
    std::future<SeenScene> seen;
  };

  void finish_one() {
    Check check = std::move(pending_.front());
    pending_.pop_front();
    tally_.add(check.seen.get(), prompts_.record(check.index), prompts_.prompt(check.index));
  }

  const AttributeChecker& checker_;
  const HeldOutClips& prompts_;
  std::deque<Check> pending_;
  AttributeTally tally_;
};

Tensor make_clip(const TestedModel& model, const Schedule& schedule, const std::string& prompt, int64_t seed) {
  return decode_frames(model, generate_codes(model, schedule, {.prompt = prompt, .seed = static_cast<uint64_t>(seed)}));
}

/// Calls `test(i)` and the listener for every prompt.
template <typename Test>
void for_each_prompt(int64_t count, const EvaluationListener& listener, Test&& test) {
  for (int64_t i = 0; i < count; ++i) {
    test(i);
    if (listener) listener(i + 1, count);
  }
}

/// Clips of one video clip, checked as `part`.
AttributeRates test_short_prompts(const TestedModel& model, const AttributeChecker& checker,
                                  const HeldOutClips& prompts, const Schedule& schedule, ClipPart part, int64_t count,
                                  const EvaluationListener& listener) {
  BackgroundChecks checks(checker, prompts);
  for_each_prompt(count, listener,
                  [&](int64_t i) { checks.add(make_clip(model, schedule, prompts.prompt(i), i), i, part); });
  return checks.rates();
}

}  // namespace

AttributeRates test_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  return test_short_prompts(model, checker, prompts, schedule_of(model, kShortClips), ClipPart::first_half, count,
                            listener);
}

AttributeRates test_one_second(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                               int64_t count, const EvaluationListener& listener) {
  return test_short_prompts(model, checker, prompts, half_clip_schedule(model), ClipPart::first_second, count,
                            listener);
}

HalfRates test_long_prompts(const TestedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, kLongClips);
  BackgroundChecks first(checker, prompts), second(checker, prompts);
  for_each_prompt(count, listener, [&](int64_t i) {
    const Tensor clip = make_clip(model, schedule, prompts.prompt(i), i);
    first.add(first_half(clip), i, ClipPart::first_half);
    second.add(second_half(clip), i, ClipPart::second_half);
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

ContinuationScore test_continuations(const TestedModel& model, const AttributeChecker& checker,
                                     const HeldOutClips& prompts, int64_t count, const EvaluationListener& listener) {
  BackgroundChecks checks(checker, prompts);
  ClipFidelitySum fidelity;
  for_each_prompt(count, listener, [&](int64_t i) {
    const Tensor added = second_half(continue_clip(model, prompts, i));
    checks.add(added, i, ClipPart::second_half);
    fidelity.add(prompts.render(prompts.record(i), added.size(1) - 1, added.size(1)), added);
  });
  return {checks.rates(), fidelity.mean()};
}

CheckerValidation validate_checker(const AttributeChecker& checker, const HeldOutClips& clips, int64_t count,
                                   ClipPart part, const EvaluationListener& listener) {
  const SeenFrames seen_frames = frames_of(part);
  const Tensor numbers = at::arange(kFramesSeen, at::kLong) * seen_frames.step + seen_frames.first;
  AttributeTally truth, shuffled;
  for (int64_t i = 0; i < count; ++i) {
    const ClipRecord record = clips.record(i);
    const SeenScene seen = checker(clips.stills(record, numbers), part);
    truth.add(seen, record, clips.prompt(i));
    shuffled.add(seen, clips.record(i + 1), clips.prompt(i + 1));
    if (listener) listener(i + 1, count);
  }
  return {truth.rates(), shuffled.rates()};
}

}  // namespace faststar
