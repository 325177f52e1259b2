#include "core/lab/train/train_settings.h"

#include <fmt/format.h>

#include "core/config/preset.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

std::vector<RecipeStage> recipe_of(const std::string& text) {
  const TempDir folder;
  test::write_text(folder / "r.yaml", text);
  return read_recipe(folder / "r.yaml");
}

std::string error_of_recipe(const std::string& text) {
  const Error error = test::error_of([&] { recipe_of(text); });
  CHECK(error.kind() == ErrorKind::usage);
  return error.what();
}

constexpr const char* kPhase = "star_short: { steps: 2, batch: 8, learning_rate: 0.001 }";

TEST_CASE("a recipe without stages is one run", "[train]") {
  const auto recipe = recipe_of(fmt::format("world: {{ emphasis: 4, scenes: full, wording: rich }}\n{}\n", kPhase));
  REQUIRE(recipe.size() == 1);
  CHECK(recipe[0].name.empty());
  CHECK(recipe[0].settings.world.emphasis == 4);
  CHECK(recipe[0].settings.star_short.steps == 2);
  CHECK(std::string(test::error_of([&] { find_stage(recipe, "two"); }).what()) ==
        "--stage two: the recipe has no stages");
}

TEST_CASE("a stage changes the settings of the one it starts from, and trains what it gives steps to", "[train]") {
  const auto recipe = recipe_of(fmt::format(
      "run: {{ seed: 3 }}\n"
      "stages:\n"
      "  one: {{ world: {{ emphasis: 4 }}, {} }}\n"
      "  two: {{ from: one, run: {{ seed: 4 }}, star_long: {{ steps: 1, batch: 8, learning_rate: 0.001 }} }}\n"
      "  three: {{ from: one, star_short: {{ steps: 5 }} }}\n",
      kPhase));
  REQUIRE(recipe.size() == 3);
  CHECK(recipe[1].from == "one");
  CHECK(recipe[1].settings.run.seed == 4);
  CHECK(recipe[1].settings.world.emphasis == 4);
  CHECK(recipe[1].settings.star_short.steps == 0);
  CHECK(recipe[1].settings.star_short.batch == 8);
  CHECK(recipe[2].settings.run.seed == 3);
  CHECK(recipe[2].settings.star_short.steps == 5);
  CHECK(find_stage(recipe, "").name == "three");
  CHECK(find_stage(recipe, "two").name == "two");
  CHECK(std::string(test::error_of([&] { find_stage(recipe, "four"); }).what()) ==
        "--stage four: expected one of one, two, three");
}

TEST_CASE("a recipe says what is wrong with a stage", "[train]") {
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(
      has(error_of_recipe("stages:\n  two: { from: one }\n"), "r.yaml:2: stages.two.from: expected a stage above it"));
  CHECK(has(error_of_recipe("stages:\n  one: { run: { seeds: 1 } }\n"), "stages.one.run.seed"));
  CHECK(has(error_of_recipe("stages:\n  one: { worlds: {} }\n"), "stages.one.world"));
  CHECK(has(error_of_recipe("stages:\n  one: {}\n"), "r.yaml: stages.one: nothing to train: no phase has steps"));
  CHECK(has(error_of_recipe("stages:\n  a/b: {}\n"), "stages: expected names of letters"));
  CHECK(has(error_of_recipe("stages:\n  one: { star_short: { steps: 1, batch: 12, learning_rate: 0.1 } }\n"),
            "stages.one: star_short.batch: expected a multiple of 8, got 12"));
}

TEST_CASE("the recipe of the embedded model records its whole chain", "[train]") {
  const auto recipe = find_recipe("train-tiny");
  std::vector<std::string> names;
  for (const RecipeStage& stage : recipe) {
    CAPTURE(stage.name);
    CHECK(stage.from == (names.empty() ? "" : names.back()));
    CHECK(stage.settings.run.model == "tiny");
    CHECK(stage.settings.run.seed == static_cast<int>(names.size()));
    CHECK(stage.settings.star_long.steps > 0);
    names.push_back(stage.name);
  }
  CHECK(names == std::vector<std::string>{"scratch", "further", "pan", "spin", "slow", "hearts"});
  const TrainSettings& pan = find_stage(recipe, "pan").settings;
  CHECK(pan.vae_frames.steps == 5837);
  CHECK(pan.vae_frames.frames == 33);
  CHECK(pan.vae_decoder.learning_rate.start == 0.0003);
  CHECK(pan.star_long.half_clip == false);
  const TrainSettings& hearts = find_stage(recipe, "hearts").settings;
  CHECK(hearts.vae_frames.steps + hearts.vae_decoder.steps == 0);
  CHECK(hearts.star_loss.object == 3);
  CHECK(hearts.world.camera_pan == 0.22);
  CHECK(hearts.star_long.half_clip);
}

TEST_CASE("a recipe that became a stage is named with the stage", "[train]") {
  const Error error = test::error_of([] { find_recipe("train-tiny-pan"); });
  CHECK(std::string(error.what()) == "train-tiny-pan: this recipe is a stage of train-tiny now");
  CHECK(error.hint() == "train-tiny with --stage pan");
}

}  // namespace
}  // namespace faststar
