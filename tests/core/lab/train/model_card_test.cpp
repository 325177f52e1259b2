#include "core/lab/train/model_card.h"

#include "support/support.h"

namespace faststar {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a model card tells the recipe as the log has it, and the figures", "[train]") {
  const test::TempDir folder;
  test::write_text(folder / "log.jsonl",
                   R"({"call":{"config":3,"processes":2}}
{"call":{"config":"train-tiny","processes":2,"from":"base"}}
{"stage":"vae_frames","step":50,"loss":0.5,"ms_per_step":40.0,"seconds":2.0}
{"stage":"vae_frames","step":100,"processes":2,"loss":0.25,"ms_per_step":30.0,"seconds":5.0}
{"stage":"vae_frames","step":150,"processes":2,"loss":null,"ms_per_step":30.0,"seconds":6.0}
half a line
{"stage":"star_short","step":10,"loss":0.125,"ms_per_step":60.5,"seconds":7.0}
)");
  Evaluation evaluation;
  evaluation.attributes.push_back({"one object", {.clips = 200, .all = 0.955}});
  CardFacts facts;
  facts.recipe = "train-tiny";
  facts.record = read_train_log(folder / "log.jsonl");
  facts.commit = "abc";
  facts.training.vae_frames.batch = 4;
  const std::string card = model_card(evaluation, facts);
  CHECK(has(card, "| vae_frames | 2 | 8 | 100 | 30.0 | 0.2500 |\n"));
  CHECK(has(card, "commit abc"));
  CHECK(has(card, "12 s of training"));
  CHECK(has(card, "| one object | 200 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.955 | 0.000 |"));
  CHECK_FALSE(has(card, "continuations.png"));
  CHECK(has(card, "`faststar train --config train-tiny --from base --out DIR`"));
  CHECK(has(card, "Training started from the weights of base."));
  facts.stage = "pan";
  CHECK(has(model_card(evaluation, facts), "`faststar train --config train-tiny --stage pan --out DIR`"));
  CHECK(has(card, "16 frames per second, 2 s long. With it"));
  facts.training.star_long = {.steps = 1, .video_clips = 2, .half_clip = true};
  CHECK(has(model_card(evaluation, facts), "1 or 2 s long, or 4 s in two clips. With it"));
}

TEST_CASE("a log is read as far as it has figures", "[train]") {
  const test::TempDir folder;
  const auto phases_of = [&](const char* text) {
    test::write_text(folder / "log.jsonl", text);
    return read_train_log(folder / "log.jsonl").phases;
  };
  CHECK(phases_of("").empty());
  CHECK(phases_of(R"({"stage":"vae_frames","step":50,"loss":null,"ms_per_step":40.0,"seconds":2.0})").empty());
  CHECK(test::error_of([&] { read_train_log(folder / "none.jsonl"); }).kind() == ErrorKind::input);
  test::write_text(folder / "log.jsonl", R"({"stage": "vae_fra)");  // a killed run's last words
  TrainLog(folder / "log.jsonl")
      .begin({.config = "train-tiny", .stage = "pan", .from = {}, .processes = 1, .settings = {}});
  CHECK(read_train_log(folder / "log.jsonl").call.config == "train-tiny");
  CHECK(read_train_log(folder / "log.jsonl").call.stage == "pan");
}

TEST_CASE("the loss plot has a panel for every stage with losses", "[train]") {
  const test::TempDir folder;
  const TrainRecord record{.call = {},
                           .phases = {{"vae_frames", {{.step = 50, .loss = 2}, {.step = 100, .loss = .5}}},
                                      {"vae_decoder", {{.step = 50, .loss = 0}}},
                                      {"star_long", {{.step = 50, .loss = 1}}}}};
  plot_losses(record, folder / "loss.svg");
  const std::string svg = test::read_text(folder / "loss.svg");
  CHECK(has(svg, "points=\"400.0,50.0 750.0,190.0 \""));  // a step on the way, the largest loss on top
  CHECK(has(svg, "vae_frames, 100 steps"));
  CHECK_FALSE(has(svg, "vae_decoder"));
  CHECK(has(svg, "star_long, 50 steps"));
}

}  // namespace faststar
