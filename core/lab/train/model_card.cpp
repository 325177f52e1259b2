#include "core/lab/train/model_card.h"

#include <fmt/format.h>

#include <vector>

namespace faststar {
namespace {

constexpr const char* kIntroduction = R"(# faststar tiny

A small model with the architecture of InfinityStar: VAE with multi-scale binary quantiser, T5 text encoder, transformer
that predicts bits scale by scale. It draws simple shapes that move over patterns, 192 x 336 pixels, 16 frames a second,
{}. It is there so that a machine without a GPU makes a real video, and so that token reduction can be
measured against videos that mean something.

)";

constexpr const char* kData = R"(## Data

No data from outside: clips are drawn by a program (core/world) from a seed, with captions from a grammar, while training
runs. The clips of the figures below have seeds that training never uses, and no combination is left out of them.

)";

constexpr const char* kLimits = R"(## Limits

It knows the world of core/world and nothing else: words from outside are ignored at best. Captions of more than 64 tokens
and clips longer than 4 s were not trained. It says nothing about people, and nothing it draws is a record of anything.

## Licence

Apache License 2.0, as all of faststar. {}
)";

/// Seconds of both networks: each counts its own.
double total_seconds(const std::vector<StageRecord>& stages) {
  double of_vae = 0, of_star = 0;
  for (const StageRecord& stage : stages) {
    (stage.name.starts_with("vae") ? of_vae : of_star) = stage.entries.back().seconds;
  }
  return of_vae + of_star;
}

int batch_of(const TrainSettings& settings, const std::string& stage) {
  int batch = 0;
  visit_sections(settings, [&]<typename Section>(std::string_view name, const Section& section) {
    if constexpr (requires { section.batch; }) {
      if (name == stage) batch = section.batch;
    }
  });
  return batch;
}

/// "2 s long, or 4 s in two clips"
std::string lengths_text(const TrainSettings& training) {
  const StarStageSettings& last = last_star_stage(training);
  return fmt::format("{} long{}", last.half_clip ? "1 or 2 s" : "2 s",
                     last.video_clips > 1 ? ", or 4 s in two clips" : "");
}

std::string command_text(const CardFacts& facts) {
  const TrainCall& call = facts.record.call;
  std::string text = "faststar train --config " + facts.training_name;
  if (call.from) text += " --from " + *call.from;
  return text + " --out DIR";
}

std::string recipe(const CardFacts& facts) {
  const auto& stages = facts.record.stages;
  std::string text = fmt::format(
      "## Recipe\n\n`{}`, seed {}, commit {}, {}; {:.0f} s of training. Stages "
      "in this order, each from the average of the weights of the one before:\n\n"
      "| stage | processes, a GPU each | clips a step | steps | ms a step, at the end | loss at the end |\n"
      "|---|---|---|---|---|---|\n",
      command_text(facts), facts.training.run.seed, facts.commit, facts.date, total_seconds(stages));
  for (const StageRecord& stage : stages) {
    const StepRecord& last = stage.entries.back();
    text += fmt::format("| {} | {} | {} | {} | {:.1f} | {:.4f} |\n", stage.name, last.processes,
                        last.processes * batch_of(facts.training, stage.name), last.step, last.milliseconds, last.loss);
  }
  return text + "\n";
}

std::string figures(const Evaluation& evaluation, const CardFacts& facts) {
  std::string text = fmt::format(
      "## Figures\n\n`faststar evaluate`, on {}. Rates are shares of clips, read off by a checker without learned "
      "parts; "
      "all prompts and misses are in evaluation.json.\n\n{}\n![12 prompts](prompts.png)\n\n",
      facts.device, evaluation_markdown(evaluation));
  for (size_t i = 0; i < sheet_prompts().size(); ++i) text += fmt::format("{}. {}\n", i + 1, sheet_prompts()[i]);
  text += "\nThe first six are on the left, from top to bottom; each row is five frames of one clip.\n";
  if (evaluation.continuation)
    text += "\n![Clips that go on](continuations.png)\n\nThe first half of each row was given.\n";
  return text + "\n";
}

}  // namespace

std::string model_card(const Evaluation& evaluation, const CardFacts& facts) {
  const char* origin = facts.record.call.from ? "The weights go on from those of the model that --from names."
                                              : "Weights and vocabulary were made from scratch by the command above.";
  return fmt::format(kIntroduction, lengths_text(facts.training)) + kData + recipe(facts) + figures(evaluation, facts) +
         fmt::format(kLimits, origin);
}

}  // namespace faststar
