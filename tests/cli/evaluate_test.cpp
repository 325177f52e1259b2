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
  CHECK(settings.error.starts_with("error: nothing: no file with settings of a training\n"));
  std::filesystem::create_directories(folder / "evaluation");
  test::write_text(folder / "evaluation/evaluation.json", "{}");
  const auto existing = run(folder, "evaluate --quick");
  CHECK(existing.exit_code == 6);
  CHECK(existing.error.find("evaluation.json") != std::string::npos);
}

}  // namespace
}  // namespace faststar
