#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/lab/evaluate/bit_accuracy.h"
#include "core/lab/evaluate/prompt_test.h"
#include "core/lab/evaluate/reconstruction.h"

namespace faststar {

/// Video clips of the longest videos that are judged: 4 s.
inline constexpr int kMaxVideoClips = 2;

/// How much of what is measured; 0 leaves a part out.
struct EvaluationSettings {
  int vae_clips = 32;       ///< of 2 s
  int long_vae_clips = 16;  ///< of 4 s
  int bit_clips = 32;       ///< of `video_clips` video clips
  int one_object = 200;     ///< prompts
  int two_objects = 100;
  int foreign_words = 100;  ///< prompts, each with words from outside the world
  int camera_pans = 100;    ///< prompts with a pan
  int one_second = 100;     ///< prompts
  int four_seconds = 100;   ///< prompts
  int continuations = 100;
  int checker_clips = 200;  ///< rendered clips that the checker is checked with
  int video_clips = 2;      ///< clips that the model was trained for: 1 leaves all of 4 s out
};

template <FieldsOf<EvaluationSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  constexpr Range count{0, 100000};
  visit(Field{.name = "vae_clips", .help = "clips of 2 s through the VAE", .range = count}, c.vae_clips);
  visit(Field{.name = "long_vae_clips", .help = "clips of 4 s through the VAE", .range = count}, c.long_vae_clips);
  visit(Field{.name = "bit_clips", .help = "clips whose bits are foretold", .range = count}, c.bit_clips);
  visit(Field{.name = "one_object", .help = "prompts with one object", .range = count}, c.one_object);
  visit(Field{.name = "two_objects", .help = "prompts with two objects", .range = count}, c.two_objects);
  visit(Field{.name = "foreign_words", .help = "prompts with words from outside", .range = count}, c.foreign_words);
  visit(Field{.name = "camera_pans", .help = "prompts with a camera that pans", .range = count}, c.camera_pans);
  visit(Field{.name = "one_second", .help = "prompts for 1 s", .range = count}, c.one_second);
  visit(Field{.name = "four_seconds", .help = "prompts for 4 s", .range = count}, c.four_seconds);
  visit(Field{.name = "continuations", .help = "clips that are gone on from", .range = count}, c.continuations);
  visit(Field{.name = "checker_clips", .help = "clips that the checker is checked with", .range = count},
        c.checker_clips);
  visit(Field{.name = "video_clips", .help = "clips that the model was trained for", .range = {1, kMaxVideoClips}},
        c.video_clips);
}

/// A row of attribute rates.
struct NamedRates {
  std::string name;
  AttributeRates rates;
};

/// All that is measured of a model.
struct Evaluation {
  std::vector<Reconstruction> reconstructions;
  std::vector<ScaleScore> bits;
  std::vector<NamedRates> attributes;
  std::optional<ClipFidelity> continuation;  ///< of second halves to those of the clips that are gone on from
  std::vector<NamedRates> checker;           ///< the checker on rendered clips; what it is worth
};

/// Hears of `done` of `total` clips of `part`, each of which costs `cost`; throwing ends the evaluation.
using PartListener = std::function<void(std::string_view part, int64_t done, int64_t total, double cost)>;

/// Judges a model by held-out clips of `world`: the part of the world that it was trained on.
Evaluation evaluate_model(const TestedModel& model, const WorldSettings& world, const EvaluationSettings& settings,
                          const PartListener& listener = {});

/// What all costs together that evaluate_model() tells its listener of.
double evaluation_cost(const EvaluationSettings& settings);

/// The prompts of the contact sheet.
const std::vector<std::string>& sheet_prompts();

/// What the model makes of sheet_prompts(), and how it goes on from six held-out clips: uint8 [h, w, 3] RGB, as
/// contact_sheet. The listener hears of every clip.
Tensor prompt_sheet(const TestedModel& model, const PartListener& listener = {});
Tensor continuation_sheet(const TestedModel& model, WorldSettings world, const PartListener& listener = {});

/// What the sheets cost that settings.video_clips allow: both, or the prompts alone.
double sheets_cost(const EvaluationSettings& settings);

}  // namespace faststar
