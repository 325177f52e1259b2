// `faststar train --devices` from outside, with networks that take a step in milliseconds.
#include <nlohmann/json.hpp>

#include "core/train/small_run.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::run;
using test::TempDir;

constexpr const char* kStages = R"(
run: {{ model: small.yaml, log_every: 1, sample_clips: 0, save_every: 1000 }}
vae_crops: {{ steps: {}, batch: 2, height: 48, width: 64, frames: 5, learning_rate: 0.001, last_learning_rate: 0.001 }}
vae_frames: {{ steps: 1, batch: 1, height: 48, width: 64, frames: 5, learning_rate: 0.001, last_learning_rate: 0.001 }}
star_short: {{ steps: 2, batch: 8, pool: 400, first_clips: 8, learning_rate: 0.001, last_learning_rate: 0.001 }}
star_long: {{ steps: 0, batch: 8, pool: 400, first_clips: 8, learning_rate: 0.001, last_learning_rate: 0.001 }}
)";

/// A folder with settings and a vocabulary: training one takes seconds.
void prepare(const TempDir& folder, int first_steps) {
  test::small_run(folder / "run");
  fs::rename(folder / "run" / "small.yaml", folder / "small.yaml");
  test::write_text(folder / "settings.yaml", fmt::format(kStages, first_steps));
}

constexpr const char* kTrain = "train --config settings.yaml --out run --devices cpu,cpu --progress none";

}  // namespace

TEST_CASE("two processes train one model", "[cli][train][slow]") {
  const TempDir folder;
  prepare(folder, 2);
  const auto outcome = run(folder, kTrain);
  CAPTURE(outcome.error);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out == "run\n");
  CHECK(fs::exists(folder / "run/model/vae.safetensors"));
  const std::string log = test::read_text(folder / "run/log.jsonl");
  CHECK(std::count(log.begin(), log.end(), '\n') == 5);  // every step once
  CHECK(log.find("\"stage\":\"star_short\",\"step\":2") != std::string::npos);
}

TEST_CASE("a training process that dies ends the others, with one line that names it", "[cli][train][slow]") {
  const TempDir folder;
  prepare(folder, 100'000'000);
  test::write_text(folder / "kill.sh",
                   fmt::format("'{}' {} & training=$!\n"
                               "trap 'kill -9 $(cat /proc/$training/task/*/children) $training' TERM\n"
                               "until [ -s run/log.jsonl ]; do sleep 0.1; done\n"
                               "set -- $(cat /proc/$training/task/*/children)\n"
                               "kill -9 $2\n"
                               "wait $training\n",
                               test::program(), kTrain));
  const std::string script = fmt::format("cd '{}' && timeout 60 sh kill.sh >out 2>err", folder.path().string());
  const int status = std::system(script.c_str());
  const std::string error = test::read_text(folder / "err");
  CAPTURE(error);
  CHECK(WEXITSTATUS(status) == 70);
  CHECK(error.find("error: cpu, process 2 of 2: ended with exit code 137\n") != std::string::npos);
  CHECK(error.find("error:") == error.rfind("error:"));
}

}  // namespace faststar
