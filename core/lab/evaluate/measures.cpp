#include "core/lab/evaluate/measures.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <deque>
#include <future>
#include <thread>

#include "core/lab/metrics/fidelity.h"
#include "core/model/pyramid/codes.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

/// Mean squared error in squared levels, weighted by `weights` [F, H, W, 1]. frames: uint8 [F, H, W, 3].
double weighted_mse(const Tensor& a, const Tensor& b, const Tensor& weights) {
  const Tensor squares = (a.to(at::kFloat) - b.to(at::kFloat)).square_();
  return ((squares * weights).sum(at::kDouble) / (weights.sum(at::kDouble) * a.size(3))).item<double>();
}

/// Sums over the bits of one scale.
struct ScaleSum {
  double right = 0;
  double nats = 0;
  double bits = 0;

  /// logits [1, t h w, 2 d]; truth [1, t, h, w, d] uint8.
  void add(const Tensor& logits, const Tensor& truth) {
    const Tensor pairs = logits[0].unflatten(-1, {-1, 2});
    const Tensor evidence = pairs.select(-1, 1) - pairs.select(-1, 0);  // [t h w, d], for a one
    const Tensor wanted = truth.reshape(evidence.sizes()).to(at::kFloat);
    right += ((evidence > 0) == (wanted > 0)).sum().item<double>();
    nats += at::binary_cross_entropy_with_logits(evidence, wanted, {}, {}, at::Reduction::Sum).item<double>();
    bits += static_cast<double>(wanted.numel());
  }
};

/// Continues every step with the true bits and scores the logits against them.
class TeacherForcing final : public GenerationObserver {
 public:
  TeacherForcing(const std::vector<Tensor>& truth, std::vector<ScaleSum>& sums) : truth_(truth), sums_(sums) {}
  Tensor on_bits(const StepResult& result) override {
    const Tensor& wanted = truth_[static_cast<size_t>(result.step.index)];
    sums_[static_cast<size_t>(result.step.scale)].add(result.logits, wanted);
    return wanted;
  }

 private:
  const std::vector<Tensor>& truth_;
  std::vector<ScaleSum>& sums_;
};

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

/// Calls `test(i)` and the listener for every prompt.
template <typename Test>
void for_each_prompt(int64_t count, const EvaluationListener& listener, Test&& test) {
  for (int64_t i = 0; i < count; ++i) {
    test(i);
    if (listener) listener(i + 1, count);
  }
}

/// Clips of one video clip, checked as `part`.
AttributeRates test_short_prompts(const EvaluatedModel& model, const AttributeChecker& checker,
                                  const HeldOutClips& prompts, const Schedule& schedule, ClipPart part, int64_t count,
                                  const EvaluationListener& listener) {
  BackgroundChecks checks(checker, prompts);
  for_each_prompt(count, listener, [&](int64_t i) {
    checks.add(generate_video(model, schedule, prompts.prompt(i), static_cast<uint64_t>(i)), i, part);
  });
  return checks.rates();
}

}  // namespace

void ClipFidelitySum::add(const ClipBatch& rendered, const Tensor& decoded) {
  const Tensor original = to_frames(rendered.pixels);
  const Tensor frames = to_frames(decoded.unsqueeze(0));
  const Tensor mse = frame_mse(frames, original);
  sum_.psnr += psnr(mse.mean().item<double>());
  sum_.object_psnr += psnr(weighted_mse(frames, original, rendered.coverage[0].permute({1, 2, 3, 0})));
  sum_.ssim += frame_ssim(frames, original).mean().item<double>();
  frame_mse_ = frame_mse_.defined() ? frame_mse_ + mse : mse;
  ++clips_;
}

ClipFidelity ClipFidelitySum::mean() const {
  const auto clips = static_cast<double>(clips_);
  return {sum_.psnr / clips, sum_.object_psnr / clips, sum_.ssim / clips};
}

std::vector<double> ClipFidelitySum::frame_psnr() const {
  std::vector<double> values;
  for (int64_t i = 0; i < frame_mse_.size(0); ++i) {
    values.push_back(psnr(frame_mse_[i].item<double>() / static_cast<double>(clips_)));
  }
  return values;
}

Reconstruction measure_reconstruction(const EvaluatedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = world_schedule(model, video_clips);
  const int64_t frames = frames_of_latents(schedule.latent_frames());
  ClipFidelitySum plain, quantised;
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames);
    const Tensor features = model.pipeline.encode(clip.pixels);
    plain.add(clip, model.pipeline.decode(features));
    const auto bits = condition_bits(features, schedule, model.generation.repetitions, model.detail_scale_min_tokens);
    quantised.add(clip, model.pipeline.decode(accumulated_features(bits, schedule, model.generation.repetitions)));
    if (listener) listener(i + 1, count);
  }
  return {.clips = count,
          .frames = frames,
          .plain = plain.mean(),
          .quantised = quantised.mean(),
          .frame_psnr = quantised.frame_psnr()};
}

std::vector<ScaleScore> measure_bit_accuracy(const EvaluatedModel& model, const HeldOutClips& clips, int64_t count,
                                             int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = world_schedule(model, video_clips);
  GenerationSettings settings = model.generation;
  settings.guidance.scale = 1;
  std::vector<ScaleSum> sums(schedule.scales().size());
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames_of_latents(schedule.latent_frames()));
    const std::vector<Tensor> truth = bits_of(model, schedule, clip.pixels);
    TeacherForcing forcing(truth, sums);
    model.pipeline.generate(schedule, settings, {.text = model.encode_text(clips.prompt(i))}, &forcing);
    if (listener) listener(i + 1, count);
  }
  std::vector<ScaleScore> scores;
  for (size_t k = 0; k < sums.size(); ++k) {
    scores.push_back({.clip = schedule.clip_of(static_cast<int>(k)),
                      .scale = schedule.scales()[k],
                      .accuracy = sums[k].right / sums[k].bits,
                      .nats = sums[k].nats / sums[k].bits});
  }
  return scores;
}

AttributeRates test_prompts(const EvaluatedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  return test_short_prompts(model, checker, prompts, world_schedule(model, kShortClips), ClipPart::first_half, count,
                            listener);
}

AttributeRates test_one_second(const EvaluatedModel& model, const AttributeChecker& checker,
                               const HeldOutClips& prompts, int64_t count, const EvaluationListener& listener) {
  return test_short_prompts(model, checker, prompts, half_clip_schedule(model), ClipPart::first_second, count,
                            listener);
}

HalfRates test_long_prompts(const EvaluatedModel& model, const AttributeChecker& checker, const HeldOutClips& prompts,
                            int64_t count, const EvaluationListener& listener) {
  const Schedule schedule = world_schedule(model, kLongClips);
  BackgroundChecks first(checker, prompts), second(checker, prompts);
  for_each_prompt(count, listener, [&](int64_t i) {
    const Tensor clip = generate_video(model, schedule, prompts.prompt(i), static_cast<uint64_t>(i));
    first.add(first_half(clip), i, ClipPart::first_half);
    second.add(second_half(clip), i, ClipPart::second_half);
  });
  return {first.rates(), second.rates()};
}

Tensor continue_clip(const EvaluatedModel& model, const HeldOutClips& clips, int64_t index) {
  const Schedule schedule = world_schedule(model, kLongClips);
  const int64_t given_frames = frames_of_latents(1 + model.size.latents_per_clip);
  const ClipBatch beginning = clips.render(clips.record(index), 0, given_frames);
  return generate_video(model, schedule, clips.prompt(index), static_cast<uint64_t>(index),
                        bits_of(model, schedule, beginning.pixels));
}

ContinuationScore test_continuations(const EvaluatedModel& model, const AttributeChecker& checker,
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
