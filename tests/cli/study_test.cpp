// faststar study from outside.
#include "support/catch.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::run;
using test::TempDir;

TEST_CASE("a study says what it needs before weights load", "[cli]") {
  const TempDir folder;
  const auto refused = [&](const std::string& options, const std::string& message) {
    const auto outcome = run(folder, "study reduction --out s " + options);
    CHECK(outcome.exit_code == 2);
    INFO(outcome.error);
    CHECK(outcome.error.find(message) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder / "s"));
  };
  refused("", "expected --prompts or --world");
  refused("--world 2 --variants skipp", "--variants: skipp: the study file has no such variant");
  refused("--world 2 --study absent.yaml", "--study absent.yaml: no such file");
  refused("--world 2 --seed 50000", "--seed 50000: expected 0 to 40000");
  refused("--world 2 --shard 3/2", "--shard: expected part/parts");
  test::write_text(folder / "s.yaml", "variants:\n  much: { method: random, ratios: [20] }\n");
  refused("--world 2 --study s.yaml", "variant much: ratios: expected fractions from 0 to 1, got 20");
  CHECK(run(folder, "study").exit_code == 2);
}

TEST_CASE("the help of a study says how to leave the controls out", "[cli]") {
  const TempDir folder;
  CHECK_THAT(run(folder, "study reduction --help-all").out, ContainsSubstring("--no-controls"));
}

TEST_CASE("a study says how much it makes and where its page is", "[cli][slow]") {
  const TempDir folder;
  const auto study = run(folder, "study reduction --world 1 --variants skip --no-controls --random-weights --out s");
  CHECK(study.exit_code == 0);
  CHECK_THAT(study.error, ContainsSubstring("prompts: 1, variants: 2\n"));
  CHECK_THAT(study.error, ContainsSubstring("page: s/study.html\n"));
  CHECK(std::filesystem::exists(folder / "s/study.html"));
}

TEST_CASE("a report without results is refused", "[cli]") {
  const TempDir folder;
  const auto outcome = run(folder, "study reduction --out . --report");
  CHECK(outcome.exit_code == 3);
  CHECK(outcome.error.find("no results of a study found") != std::string::npos);
}

}  // namespace
}  // namespace faststar
