#include "core/train/model_card.h"

#include "support/support.h"

namespace faststar {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a model card tells the recipe as the log has it, and the figures", "[train]") {
  const test::TempDir folder;
  test::write_text(folder / "log.jsonl",
                   R"({"stage":"vae_frames","step":50,"loss":0.5,"ms_per_step":40.0,"seconds":2.0}
{"stage":"vae_frames","step":100,"processes":2,"loss":0.25,"ms_per_step":30.0,"seconds":5.0}
half a line
{"stage":"star_short","step":10,"loss":0.125,"ms_per_step":60.5,"seconds":7.0}
)");
  Evaluation evaluation;
  evaluation.attributes.push_back({"one object", {.clips = 200, .all = 0.955}});
  CardFacts facts;
  facts.training_name = "train-tiny";
  facts.log = folder / "log.jsonl";
  facts.commit = "abc";
  facts.training.vae_frames.batch = 4;
  const std::string card = model_card(evaluation, facts);
  CHECK(has(card, "| vae_frames | 2 | 8 | 100 | 30.0 | 0.2500 |\n"));
  CHECK(has(card, "commit abc"));
  CHECK(has(card, "12 s of training"));
  CHECK(has(card, "| one object | 200 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.955 | 0.000 |"));
  CHECK_FALSE(has(card, "continuations.png"));
  test::write_text(folder / "log.jsonl", "");
  CHECK(test::error_of([&] { model_card(evaluation, facts); }).kind() == ErrorKind::input);
}

}  // namespace faststar
