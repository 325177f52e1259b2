#include "core/lab/study/inputs.h"

#include "core/config/preset.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

Error error_of_file(const std::string& text) {
  const TempDir folder;
  test::write_text(folder / "s.yaml", text);
  return test::error_of([&] { read_study_file(folder / "s.yaml", {}); });
}

TEST_CASE("variants say what differs, and are told apart by it", "[study]") {
  const TempDir folder;
  test::write_text(folder / "s.yaml",
                   "world: { scenes: full, camera_pan: 0.25 }\n"
                   "variants:\n"
                   "  random: { method: random, ratios: [0.5] }\n"
                   "beyond:\n"
                   "  best: { method: faststar, preset: beyond, faststar: { p: inf } }\n");
  Settings base;
  base.config.reduction.scales.last = 2;
  const StudyFile file = read_study_file(folder / "s.yaml", base);
  CHECK(file.world.camera_pan == 0.25);
  REQUIRE(file.variants.size() == 2);
  CHECK(file.variants[0].settings == VariantTexts{{"method", "random"}, {"ratios", "[0.5]"}, {"scales", "last2"}});
  CHECK(file.variants[1].reduction.faststar.scorer == Scorer::temporal);  // as the preset says
  CHECK(file.variants[1].settings.at("faststar.p") == "inf");
  CHECK_FALSE(file.variants[1].settings.contains("preset"));
}

TEST_CASE("a variant may reuse guidance, alone or beside a method", "[study]") {
  const TempDir folder;
  test::write_text(folder / "s.yaml",
                   "variants:\n"
                   "  drop: { guidance_reuse: late, guidance_reuse_scales: last2, guidance_reuse_weight: 0 }\n"
                   "  both: { method: faststar, guidance_reuse: full }\n");
  const StudyFile file = read_study_file(folder / "s.yaml", {});
  CHECK(file.variants[0].settings ==
        VariantTexts{{"guidance_reuse", "late"}, {"guidance_reuse_scales", "last2"}, {"guidance_reuse_weight", "0.0"}});
  CHECK(file.variants[0].reuse.scales.last == 2);
  CHECK(file.variants[0].reuse.weight == 0);
  CHECK(file.variants[1].settings == VariantTexts{{"method", "faststar"}, {"guidance_reuse", "full"}});
  CHECK(read_study_file(preset_file("study-guidance-reuse"), {}).variants.size() > 20);
}

TEST_CASE("a study's file can leave the controls out", "[study]") {
  const TempDir folder;
  test::write_text(folder / "s.yaml", "controls: false\nvariants:\n  a: { method: random }\n");
  CHECK(read_study_file(folder / "s.yaml", {}).controls == Controls::leave_out);
  CHECK(read_study_file(preset_file("study-reduction"), {}).controls == Controls::run);
  CHECK(std::string(error_of_file("controls: few\nvariants:\n  a: { method: random }\n").what())
            .find("s.yaml:1: controls: ") != std::string::npos);
}

TEST_CASE("a study's file is checked", "[study]") {
  const auto check = [](const std::string& text, const std::string& message) {
    const Error error = error_of_file(text);
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).find(message) != std::string::npos);
  };
  check("variants:\n  a: { method: random }\nbeyond:\n  a: { method: skip }\n",
        "s.yaml:4: a: this name is already used");
  check("variants:\n  dense: { method: random }\n", "this name is already used");
  check("variants:\n  a: { ratios: [0.5] }\n", "expected a method that reduces tokens");
  check("variants:\n  a: { method: random, guidance_reuse: sometimes }\n", "guidance_reuse");
  check("variants:\n  a: { method: random, guidance: 3 }\n", "guidance");
  check("variants:\n  a: { method: faststar, faststar: { scores: spatial } }\n", "scores");
  check("variant:\n  a: { method: random }\n", "variant");
}

TEST_CASE("variants are picked by name", "[study]") {
  const StudyFile file = read_study_file(preset_file("study-reduction"), {});
  const auto picked = pick_variants(file.variants, "skip,random");
  REQUIRE(picked.size() == 2);
  CHECK(picked[0].name == "skip");
  CHECK(pick_variants(file.variants, "").size() == file.variants.size());
  const Error error = test::error_of([&] { pick_variants(file.variants, "skipp"); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(error.hint() == "did you mean skip?");
}

}  // namespace
}  // namespace faststar
