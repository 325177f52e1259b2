#include "cli/workers.h"

#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("warnings and errors of a worker are warnings of its device, its other lines information", "[cli]") {
  const test::CollectWarnings warnings;
  for (const char* line : {"warning: slow", "error: no memory", "hint: less", "text: 0.1 s"}) relay("cuda:1", line);
  CHECK(warnings.lines() == std::vector<std::string>{"cuda:1: slow", "cuda:1: error: no memory", "cuda:1: hint: less"});
}

TEST_CASE("only whole progress events are progress", "[cli]") {
  JointProgress progress(ProgressStyle::none, Stage::tokens);
  CHECK(progress.take("cpu", R"({"fraction": 0.5, "detail": "video 1/2"})"));
  for (const char* line :
       {"text: 0.1 s", "{}", R"({"fraction": "half", "detail": "x"})", R"({"fraction": 1, "detail": 2})", R"([0.5])"}) {
    CHECK_FALSE(progress.take("cpu", line));
  }
}

}  // namespace
}  // namespace faststar
