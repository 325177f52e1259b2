#include "core/train/model_card.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/evaluate/report.h"

namespace faststar {
namespace {

constexpr const char* kIntroduction = R"(# faststar tiny

A small model with the architecture of InfinityStar: VAE with multi-scale binary quantiser, T5 text encoder, transformer
that predicts bits scale by scale. It draws simple shapes that move over plain backgrounds, 192 x 336 pixels, 16 frames a
second, 2 s long or 4 s in two clips. It is there so that a machine without a GPU makes a real video, and so that token
reduction can be measured against videos that mean something.

)";

constexpr const char* kData = R"(## Data

No data from outside: clips are drawn by a program (core/world) from a seed, with captions from a grammar, while training
runs. The clips of the figures below have seeds that training never uses, and no combination is left out of them.

)";

constexpr const char* kLimits = R"(## Limits

It knows the world of core/world and nothing else: words from outside are ignored at best. Captions of more than 64 tokens
and clips longer than 4 s were not trained. It says nothing about people, and nothing it draws is a record of anything.

## Licence

Apache License 2.0, as all of faststar. Weights and vocabulary were made from scratch by the command above.
)";

/// The end of one stage, as the log has it.
struct StageRecord {
  std::string name;
  int64_t steps = 0;
  int processes = 1;
  double milliseconds = 0;  ///< a step, mean since the entry before
  double loss = 0;          ///< mean since the entry before
  double seconds = 0;       ///< of the network's training until then
};

std::vector<StageRecord> read_stages(const std::filesystem::path& log) {
  std::vector<StageRecord> stages;
  std::ifstream stream(log);
  for (std::string line; std::getline(stream, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("stage") || !entry.contains("loss")) continue;
    if (stages.empty() || stages.back().name != entry["stage"]) stages.push_back({.name = entry["stage"]});
    StageRecord& stage = stages.back();
    stage.steps = entry["step"];
    stage.processes = entry.value("processes", 1);
    stage.milliseconds = entry["ms_per_step"];
    stage.loss = entry["loss"];
    stage.seconds = entry["seconds"];
  }
  if (stages.empty()) fail(ErrorKind::input, fmt::format("{}: no entry of a training", log.string()));
  return stages;
}

/// Seconds of both networks: each counts its own.
double total_seconds(const std::vector<StageRecord>& stages) {
  double of_vae = 0, of_star = 0;
  for (const StageRecord& stage : stages) (stage.name.starts_with("vae") ? of_vae : of_star) = stage.seconds;
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

std::string recipe(const CardFacts& facts) {
  const auto stages = read_stages(facts.log);
  std::string text = fmt::format(
      "## Recipe\n\n`faststar train --config {} --out DIR`, seed {}, commit {}, {}; {:.0f} s of training. Stages "
      "in this order, each from the average of the weights of the one before:\n\n"
      "| stage | processes, a GPU each | clips a step | steps | ms a step, at the end | loss at the end |\n"
      "|---|---|---|---|---|---|\n",
      facts.training_name, facts.training.run.seed, facts.commit, facts.date, total_seconds(stages));
  for (const StageRecord& stage : stages) {
    text += fmt::format("| {} | {} | {} | {} | {:.1f} | {:.4f} |\n", stage.name, stage.processes,
                        stage.processes * batch_of(facts.training, stage.name), stage.steps, stage.milliseconds,
                        stage.loss);
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
  const bool goes_on =
      std::ranges::any_of(evaluation.attributes, [](const auto& row) { return row.name == "continuation"; });
  if (goes_on) text += "\n![Clips that go on](continuations.png)\n\nThe first half of each row was given.\n";
  return text + "\n";
}

}  // namespace

std::string model_card(const Evaluation& evaluation, const CardFacts& facts) {
  return kIntroduction + (kData + recipe(facts)) + figures(evaluation, facts) + kLimits;
}

}  // namespace faststar
