#include "core/lab/evaluate/evaluation.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/lab/evaluate/contact_sheet.h"

namespace faststar {
namespace {

constexpr int64_t kContinuationsShown = 6;

const char* name_of(ClipPart part) {
  switch (part) {
    case ClipPart::first_second: return "1 s";
    case ClipPart::first_half: return "2 s";
    case ClipPart::second_half: break;
  }
  return "second half of 4 s";
}

/// What a set of prompts has other than the world.
struct Difference {
  std::optional<double> two_objects;
  std::optional<double> foreign_words;
  std::optional<double> camera_pan;
};

/// What the parts of an evaluation share.
struct Bench {
  const TestedModel& model;
  WorldSettings world;
  AttributeChecker checker;
  Evaluation result;

  HeldOutClips clips(HeldOutSet set, const Difference& difference = {}) const {
    WorldSettings drawn = world;
    drawn.two_objects = difference.two_objects.value_or(world.two_objects);
    drawn.foreign_words = difference.foreign_words.value_or(0);
    drawn.camera_pan = difference.camera_pan.value_or(world.camera_pan);
    return {model.device(), drawn, set};
  }
};

/// What a clip costs, in clips of 2 s that are generated; about.
constexpr double kCodedCost = .5, kForetoldCost = .5, kHalfCost = .6, kLongCost = 2, kRenderedCost = .05;

/// A part of an evaluation: how many clips it is made of, each of which its listener hears of, and what measures them.
struct Part {
  std::string name;
  int clips = 0;
  double cost = 1;  ///< of a clip
  std::function<void(Bench& bench, int clips, const EvaluationListener& listener)> measure;
};

Part reconstruction(int clips, int video_clips) {
  return {"reconstruction", clips, video_clips * kCodedCost,
          [=](Bench& bench, int count, const EvaluationListener& listener) {
            bench.result.reconstructions.push_back(measure_reconstruction(
                bench.model, bench.clips(HeldOutSet::reconstruction), count, video_clips, listener));
          }};
}

Part bit_accuracy(int clips, int video_clips) {
  return {"bits", clips, video_clips * kForetoldCost, [=](Bench& bench, int count, const EvaluationListener& listener) {
            bench.result.bits =
                measure_bit_accuracy(bench.model, bench.clips(HeldOutSet::bits), count, video_clips, listener);
          }};
}

using PromptTest = AttributeRates (*)(const TestedModel& model, const AttributeChecker& checker,
                                      const HeldOutClips& prompts, int64_t count, const EvaluationListener& listener);

Part prompts(const std::string& name, PromptTest test, HeldOutSet set, const Difference& difference, int clips,
             double cost = 1) {
  return {name, clips, cost, [=](Bench& bench, int count, const EvaluationListener& listener) {
            bench.result.attributes.push_back(
                {name, test(bench.model, bench.checker, bench.clips(set, difference), count, listener)});
          }};
}

Part four_seconds(int clips) {
  return {"4 s", clips, kLongCost, [](Bench& bench, int count, const EvaluationListener& listener) {
            HalfRates halves =
                test_long_prompts(bench.model, bench.checker, bench.clips(HeldOutSet::four_seconds), count, listener);
            bench.result.attributes.push_back({"4 s, first half", std::move(halves.first)});
            bench.result.attributes.push_back({"4 s, second half", std::move(halves.second)});
          }};
}

Part continuations(int clips) {
  return {"continuation", clips, kLongCost, [](Bench& bench, int count, const EvaluationListener& listener) {
            ContinuationScore score =
                test_continuations(bench.model, bench.checker, bench.clips(HeldOutSet::continuation), count, listener);
            bench.result.attributes.push_back({"continuation", std::move(score.rates)});
            bench.result.continuation = score.fidelity;
          }};
}

Part validation(ClipPart part, int clips) {
  return {"checker", clips, kRenderedCost, [=](Bench& bench, int count, const EvaluationListener& listener) {
            CheckerValidation rates =
                validate_checker(bench.checker, bench.clips(HeldOutSet::checker), count, part, listener);
            const std::string name = fmt::format("rendered, {}", name_of(part));
            bench.result.checker.push_back({name, std::move(rates.truth)});
            bench.result.checker.push_back({name + ", captions shuffled", std::move(rates.shuffled)});
          }};
}

/// The parts that the settings ask for, in the order of the report.
std::vector<Part> parts_of(const EvaluationSettings& settings) {
  const auto if_long = [&](int clips) { return settings.video_clips > 1 ? clips : 0; };
  std::vector<Part> parts = {
      reconstruction(settings.vae_clips, 1),
      reconstruction(if_long(settings.long_vae_clips), 2),
      bit_accuracy(settings.bit_clips, settings.video_clips),
      prompts("one object", test_prompts, HeldOutSet::one_object, {.two_objects = 0}, settings.one_object),
      prompts("two objects", test_prompts, HeldOutSet::two_objects, {.two_objects = 1, .camera_pan = 0},
              settings.two_objects),
      prompts("words from outside", test_prompts, HeldOutSet::foreign_words, {.foreign_words = 1},
              settings.foreign_words),
      prompts("camera pans", test_prompts, HeldOutSet::camera_pans, {.camera_pan = 1}, settings.camera_pans),
      prompts("1 s", test_one_second, HeldOutSet::one_second, {}, settings.one_second, kHalfCost),
      four_seconds(if_long(settings.four_seconds)),
      continuations(if_long(settings.continuations)),
      validation(ClipPart::first_second, settings.checker_clips),
      validation(ClipPart::first_half, settings.checker_clips),
      validation(ClipPart::second_half, if_long(settings.checker_clips)),
  };
  std::erase_if(parts, [](const Part& part) { return part.clips == 0; });
  return parts;
}

}  // namespace

Evaluation evaluate_model(const TestedModel& model, const WorldSettings& world, const EvaluationSettings& settings,
                          const PartListener& listener) {
  const c10::InferenceMode inference;
  Bench bench{.model = model, .world = world, .checker = {}, .result = {}};
  for (const Part& part : parts_of(settings)) {
    part.measure(bench, part.clips, [&](int64_t done, int64_t total) {
      if (listener) listener(part.name, done, total, part.cost);
    });
  }
  return std::move(bench.result);
}

double evaluation_cost(const EvaluationSettings& settings) {
  double cost = 0;
  for (const Part& part : parts_of(settings)) cost += part.clips * part.cost;
  return cost;
}

double sheets_cost(const EvaluationSettings& settings) {
  return static_cast<double>(sheet_prompts().size()) + (settings.video_clips > 1 ? kContinuationsShown * kLongCost : 0);
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
    if (listener) listener("sheet", std::ssize(clips), std::ssize(sheet_prompts()), 1);
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
    if (listener) listener("sheet of continuations", i + 1, kContinuationsShown, kLongCost);
  }
  return contact_sheet(clips, kFrames, 1);
}

}  // namespace faststar
