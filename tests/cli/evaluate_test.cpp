// `faststar evaluate` from outside.
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::run;
using test::TempDir;

TEST_CASE("evaluate refuses what it cannot do before it loads a model", "[cli][evaluate]") {
  const TempDir folder;
  const auto count = run(folder, "evaluate --one-object many");
  CHECK(count.exit_code == 2);
  CHECK(count.error.starts_with("error: --one-object: expected "));
  const auto settings = run(folder, "evaluate --training nothing");
  CHECK(settings.exit_code == 2);
  CHECK(settings.error.starts_with("error: nothing: no such training recipe, neither a name nor a file\n"));
  std::filesystem::create_directories(folder / "evaluation");
  test::write_text(folder / "log.jsonl",
                   R"({"stage":"vae_frames","step":50,"loss":0.5,"ms_per_step":40.0,"seconds":2.0})");
  for (const char* file : {"evaluation.json", "prompts.png", "MODEL.md"}) {
    test::write_text(folder / "evaluation" / file, "somebody's");
    const auto existing = run(folder, "evaluate --quick --log log.jsonl");
    CAPTURE(existing.error);
    CHECK(existing.exit_code == 6);
    CHECK(existing.error.find(file) != std::string::npos);
    CHECK(test::read_text(folder / "evaluation" / file) == "somebody's");
    std::filesystem::remove(folder / "evaluation" / file);
  }
  test::write_text(folder / "log.jsonl", "no log");
  CHECK(run(folder, "evaluate --quick --log log.jsonl").exit_code == 3);
}

}  // namespace
}  // namespace faststar
