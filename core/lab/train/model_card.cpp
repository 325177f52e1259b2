#include "core/lab/train/model_card.h"

#include <fmt/format.h>

#include <vector>

namespace faststar {
namespace {

constexpr const char* kIntroduction = R"(# faststar tiny

A small model with the architecture of InfinityStar: a VAE with a multi-scale binary quantiser, a T5 text encoder, and a
transformer that predicts bits scale by scale. It makes videos of simple shapes that move over patterns: 192 x 336 pixels,
16 frames per second, {}. With it, a machine without a GPU can make a real video, and token reduction can
be measured on videos with meaningful content.

)";

constexpr const char* kData = R"(## Data

No outside data. A program (core/lab/world) renders the clips from a seed during training, and a grammar writes their
captions. The clips below have seeds that are never used in training; combinations of shapes, colours and motions are not
held out.

)";

constexpr const char* kLimits = R"(## Limits

The model only knows the world of core/lab/world. At best, it ignores out-of-vocabulary words. It was not
trained on captions of more than 64 tokens or on clips longer than 4 s. It shows no people, and nothing that it
shows is a record of anything real.

## Licence

Apache License 2.0, as all of faststar. {}
)";

/// Seconds of training: each network counts its own.
double total_seconds(const std::vector<PhaseRecord>& phases) {
  double of_vae = 0, of_star = 0;
  for (const PhaseRecord& phase : phases) {
    (phase.name.starts_with("vae") ? of_vae : of_star) = phase.entries.back().seconds;
  }
  return of_vae + of_star;
}

int batch_of(const TrainSettings& settings, const std::string& phase) {
  int batch = 0;
  visit_sections(settings, [&]<typename Section>(std::string_view name, const Section& section) {
    if constexpr (requires { section.batch; }) {
      if (name == phase) batch = section.batch;
    }
  });
  return batch;
}

/// "2 s long, or 4 s in two clips"
std::string lengths_text(const TrainSettings& training) {
  const StarPhaseSettings& last = last_star_phase(training);
  return fmt::format("{} long{}", last.half_clip ? "1 or 2 s" : "2 s",
                     last.video_clips > 1 ? ", or 4 s in two clips" : "");
}

/// A stage finds the model that it starts from by itself.
std::string command_text(const CardFacts& facts) {
  std::string text = "faststar train --config " + facts.recipe;
  if (!facts.stage.empty()) {
    text += " --stage " + facts.stage;
  } else if (const auto& from = facts.record.call.from) {
    text += " --from " + *from;
  }
  return text + " --out DIR";
}

std::string recipe(const CardFacts& facts) {
  const auto& phases = facts.record.phases;
  std::string text = fmt::format(
      "## Recipe\n\n`{}`, seed {}, commit {}, {}; {:.0f} s of training. The phases run in this order, each from the "
      "averaged weights of the previous one:\n\n"
      "| phase | processes, one per GPU | clips per step | steps | ms per step, at the end | loss at the end |\n"
      "|---|---|---|---|---|---|\n",
      command_text(facts), facts.training.run.seed, facts.commit, facts.date, total_seconds(phases));
  for (const PhaseRecord& phase : phases) {
    const StepRecord& last = phase.entries.back();
    text += fmt::format("| {} | {} | {} | {} | {:.1f} | {:.4f} |\n", phase.name, last.processes,
                        last.processes * batch_of(facts.training, phase.name), last.step, last.milliseconds, last.loss);
  }
  return text + "\n";
}

std::string figures(const Evaluation& evaluation, const CardFacts& facts) {
  std::string text = fmt::format(
      "## Figures\n\n`faststar evaluate`, on {}. Rates are fractions of clips, measured by a checker without learned "
      "parts; all prompts and misses are in evaluation.json.\n\n{}\n![12 prompts](prompts.png)\n\n",
      facts.device, evaluation_markdown(evaluation));
  for (size_t i = 0; i < sheet_prompts().size(); ++i) text += fmt::format("{}. {}\n", i + 1, sheet_prompts()[i]);
  text += "\nThe first six are on the left, from top to bottom; each row is five frames of one clip.\n";
  if (evaluation.continuation)
    text += "\n![Continued clips](continuations.png)\n\nThe first half of each row is the clip that was continued.\n";
  return text + "\n";
}

}  // namespace

std::string model_card(const Evaluation& evaluation, const CardFacts& facts) {
  const auto& from = facts.record.call.from;
  const std::string origin = from ? fmt::format("Training started from the weights of {}.", *from)
                                  : "Weights and vocabulary were made from scratch by the command above.";
  return fmt::format(kIntroduction, lengths_text(facts.training)) + kData + recipe(facts) + figures(evaluation, facts) +
         fmt::format(kLimits, origin);
}

}  // namespace faststar
