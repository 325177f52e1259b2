#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/lab/evaluate/contact_sheet.h"
#include "core/lab/evaluate/measures.h"

namespace faststar {

/// Video clips of the longest videos evaluated: 4 s.
inline constexpr int kMaxVideoClips = 2;

/// Number of clips of each part; 0 leaves the part out.
struct EvaluationSettings {
  int vae_clips = 32;       ///< of 2 s
  int long_vae_clips = 16;  ///< of 4 s
  int bit_clips = 32;       ///< of `video_clips` video clips
  int one_object = 200;     ///< prompts
  int two_objects = 100;
  int foreign_words = 100;  ///< prompts with out-of-vocabulary words
  int camera_pans = 100;    ///< prompts with a pan
  int one_second = 100;     ///< prompts
  int four_seconds = 100;   ///< prompts
  int continuations = 100;
  int checker_clips = 200;  ///< rendered clips that validate the checker
  int video_clips = 2;      ///< that the model was trained for; 1 leaves out all 4 s parts
};

template <FieldsOf<EvaluationSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  constexpr Range count{0, 100000};
  visit(Field{.name = "vae_clips", .help = "clips of 2 s through the VAE", .range = count}, c.vae_clips);
  visit(Field{.name = "long_vae_clips", .help = "clips of 4 s through the VAE", .range = count}, c.long_vae_clips);
  visit(Field{.name = "bit_clips", .help = "clips whose bits are predicted", .range = count}, c.bit_clips);
  visit(Field{.name = "one_object", .help = "prompts with one object", .range = count}, c.one_object);
  visit(Field{.name = "two_objects", .help = "prompts with two objects", .range = count}, c.two_objects);
  visit(Field{.name = "foreign_words", .help = "out-of-vocabulary prompts", .range = count}, c.foreign_words);
  visit(Field{.name = "camera_pans", .help = "prompts with a camera pan", .range = count}, c.camera_pans);
  visit(Field{.name = "one_second", .help = "prompts for 1 s", .range = count}, c.one_second);
  visit(Field{.name = "four_seconds", .help = "prompts for 4 s", .range = count}, c.four_seconds);
  visit(Field{.name = "continuations", .help = "clips to continue", .range = count}, c.continuations);
  visit(Field{.name = "checker_clips", .help = "rendered clips that validate the checker", .range = count},
        c.checker_clips);
  visit(Field{.name = "video_clips", .help = "video clips the model was trained for", .range = {1, kMaxVideoClips}},
        c.video_clips);
}

/// One row of the tables of attributes.
struct NamedRates {
  std::string name;
  AttributeRates rates;
};

/// The results of an evaluation.
struct Evaluation {
  std::vector<Reconstruction> reconstructions;
  std::vector<ScaleScore> bits;
  std::vector<NamedRates> attributes;
  std::optional<ClipFidelity> continuation;  ///< of the second halves to the true ones
  std::vector<NamedRates> checker;           ///< on rendered clips: what the checker is worth
};

/// Evaluates a model on held-out clips of `world`, the part of the procedural world that it was trained on.
Evaluation evaluate_model(const EvaluatedModel& model, const WorldSettings& world, const EvaluationSettings& settings,
                          const PartListener& listener = {});

/// Sum of the costs that evaluate_model() reports to its listener.
double evaluation_cost(const EvaluationSettings& settings);

/// All results, with every miss, as JSON.
std::string evaluation_json(const Evaluation& evaluation);

/// The results as Markdown tables, for a model card.
std::string evaluation_markdown(const Evaluation& evaluation);

}  // namespace faststar
