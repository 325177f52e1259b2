#include "core/lab/evaluate/evaluation.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

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

/// How a set of prompts differs from the world of the training.
struct Difference {
  std::optional<double> two_objects;
  std::optional<double> foreign_words;
  std::optional<double> camera_pan;
};

/// State shared by the parts of an evaluation.
struct Bench {
  const EvaluatedModel& model;
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

/// Approximate cost of a clip, in generated clips of 2 s.
constexpr double kCodedCost = .5, kPredictedCost = .5, kHalfCost = .6, kLongCost = 2, kRenderedCost = .05;

/// A part of an evaluation. `measure` calls its listener after each clip.
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
  return {"bits", clips, video_clips * kPredictedCost,
          [=](Bench& bench, int count, const EvaluationListener& listener) {
            bench.result.bits =
                measure_bit_accuracy(bench.model, bench.clips(HeldOutSet::bits), count, video_clips, listener);
          }};
}

using PromptTest = AttributeRates (*)(const EvaluatedModel& model, const AttributeChecker& checker,
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

/// The parts with a clip or more, in the order of the report.
std::vector<Part> parts_of(const EvaluationSettings& settings) {
  const auto if_long = [&](int clips) { return settings.video_clips > 1 ? clips : 0; };
  std::vector<Part> parts = {
      reconstruction(settings.vae_clips, 1),
      reconstruction(if_long(settings.long_vae_clips), 2),
      bit_accuracy(settings.bit_clips, settings.video_clips),
      prompts("one object", test_prompts, HeldOutSet::one_object, {.two_objects = 0}, settings.one_object),
      prompts("two objects", test_prompts, HeldOutSet::two_objects, {.two_objects = 1, .camera_pan = 0},
              settings.two_objects),
      prompts("out-of-vocabulary", test_prompts, HeldOutSet::foreign_words, {.foreign_words = 1},
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

Evaluation evaluate_model(const EvaluatedModel& model, const WorldSettings& world, const EvaluationSettings& settings,
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

}  // namespace faststar
