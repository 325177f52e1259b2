#include "core/evaluate/evaluation.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/evaluate/contact_sheet.h"

namespace faststar {
namespace {

const char* name_of(ClipPart part) {
  switch (part) {
    case ClipPart::first_second: return "1 s";
    case ClipPart::first_half: return "2 s";
    case ClipPart::second_half: break;
  }
  return "second half of 4 s";
}

/// Runs the parts that the settings ask for, one after the other.
class EvaluationRun {
 public:
  EvaluationRun(const TestedModel& model, WorldSettings world, const EvaluationSettings& settings,
                const PartListener& listener)
      : model_(model), world_(world), settings_(settings), listener_(listener) {
    world_.foreign_words = 0;
  }

  Evaluation run() {
    reconstruct(settings_.vae_clips, 1);
    if (makes_long_clips()) reconstruct(settings_.long_vae_clips, 2);
    if (settings_.bit_clips > 0) {
      result_.bits = measure_bit_accuracy(model_, clips(HeldOutSet::bits), settings_.bit_clips, settings_.video_clips,
                                          listener("bits"));
    }
    test("one object", HeldOutSet::one_object, {.two_objects = 0}, settings_.one_object);
    test("two objects", HeldOutSet::two_objects, {.two_objects = 1, .camera_pan = 0}, settings_.two_objects);
    test("words from outside", HeldOutSet::foreign_words, {.foreign_words = 1}, settings_.foreign_words);
    test("camera pans", HeldOutSet::camera_pans, {.camera_pan = 1}, settings_.camera_pans);
    if (settings_.one_second > 0) {
      result_.attributes.push_back({"1 s", test_one_second(model_, checker_, clips(HeldOutSet::one_second),
                                                           settings_.one_second, listener("1 s"))});
    }
    if (makes_long_clips()) test_long_clips();
    validate();
    return std::move(result_);
  }

 private:
  /// What a set of prompts has other than the world.
  struct Difference {
    std::optional<double> two_objects;
    std::optional<double> foreign_words;
    std::optional<double> camera_pan;
  };

  bool makes_long_clips() const { return settings_.video_clips > 1; }

  HeldOutClips clips(HeldOutSet set, const Difference& difference) const {
    WorldSettings world = world_;
    world.two_objects = difference.two_objects.value_or(world.two_objects);
    world.foreign_words = difference.foreign_words.value_or(world.foreign_words);
    world.camera_pan = difference.camera_pan.value_or(world.camera_pan);
    return {model_.device(), world, set};
  }
  HeldOutClips clips(HeldOutSet set) const { return clips(set, {}); }

  EvaluationListener listener(std::string_view part) const {
    if (!listener_) return {};
    return [this, part](int64_t done, int64_t total) { listener_(part, done, total); };
  }

  void reconstruct(int count, int video_clips) {
    if (count == 0) return;
    result_.reconstructions.push_back(measure_reconstruction(model_, clips(HeldOutSet::reconstruction), count,
                                                             video_clips, listener("reconstruction")));
  }

  void test(const char* name, HeldOutSet set, const Difference& difference, int count) {
    if (count == 0) return;
    result_.attributes.push_back({name, test_prompts(model_, checker_, clips(set, difference), count, listener(name))});
  }

  void test_long_clips() {
    if (settings_.four_seconds > 0) {
      HalfRates halves =
          test_long_prompts(model_, checker_, clips(HeldOutSet::four_seconds), settings_.four_seconds, listener("4 s"));
      result_.attributes.push_back({"4 s, first half", std::move(halves.first)});
      result_.attributes.push_back({"4 s, second half", std::move(halves.second)});
    }
    if (settings_.continuations > 0) {
      ContinuationScore score = test_continuations(model_, checker_, clips(HeldOutSet::continuation),
                                                   settings_.continuations, listener("continuation"));
      result_.attributes.push_back({"continuation", std::move(score.rates)});
      result_.continuation = score.fidelity;
    }
  }

  void validate() {
    if (settings_.checker_clips == 0) return;
    for (const ClipPart part : {ClipPart::first_second, ClipPart::first_half, ClipPart::second_half}) {
      if (part == ClipPart::second_half && !makes_long_clips()) continue;
      CheckerValidation rates = validate_checker(checker_, clips(HeldOutSet::checker), settings_.checker_clips, part);
      const std::string name = fmt::format("rendered, {}", name_of(part));
      result_.checker.push_back({name, std::move(rates.truth)});
      result_.checker.push_back({name + ", captions shuffled", std::move(rates.shuffled)});
    }
  }

  const TestedModel& model_;
  WorldSettings world_;
  const EvaluationSettings& settings_;
  const PartListener& listener_;
  AttributeChecker checker_;
  Evaluation result_;
};

}  // namespace

Evaluation evaluate_model(const TestedModel& model, const WorldSettings& world, const EvaluationSettings& settings,
                          const PartListener& listener) {
  const c10::InferenceMode inference;
  return EvaluationRun(model, world, settings, listener).run();
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

Tensor prompt_sheet(const TestedModel& model, const PartListener& listener) {
  const c10::InferenceMode inference;
  constexpr uint64_t kSeed = 7;
  const Schedule schedule = schedule_of(model, 1);
  std::vector<Tensor> clips;
  for (const std::string& prompt : sheet_prompts()) {
    clips.push_back(decode_frames(model, generate_codes(model, schedule, {.prompt = prompt, .seed = kSeed})));
    if (listener) listener("sheet", static_cast<int64_t>(clips.size()), static_cast<int64_t>(sheet_prompts().size()));
  }
  return contact_sheet(clips, 5, 2);
}

Tensor continuation_sheet(const TestedModel& model, WorldSettings world, const PartListener& listener) {
  const c10::InferenceMode inference;
  constexpr int64_t kFrames = 9;
  world.foreign_words = 0;  // as in the set of prompts
  const HeldOutClips held_out(model.device(), world, HeldOutSet::continuation);
  std::vector<Tensor> clips;
  for (int64_t i = 0; i < kContinuationsShown; ++i) {
    clips.push_back(continue_clip(model, held_out, i));
    if (listener) listener("sheet of continuations", i + 1, kContinuationsShown);
  }
  return contact_sheet(clips, kFrames, 1);
}

}  // namespace faststar
