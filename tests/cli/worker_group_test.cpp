#include "cli/worker_group.h"

#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("what a worker warns of or fails with is a warning of its device, the rest is for information", "[cli]") {
  const test::CollectWarnings warnings;
  const Worker worker{.device = "cuda:1", .process = nullptr};
  for (const char* line : {"warning: slow", "error: no memory", "hint: less", "text: 0.1 s"}) relay(worker, line);
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
