// `faststar train --devices` from outside, with networks that take a step in milliseconds.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/lab/train/small_run.h"
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
  const auto call = nlohmann::json::parse(log.substr(0, log.find('\n')))["call"];
  CHECK(call.size() == 3);  // no model that it started from
  CHECK(call["config"] == "settings.yaml");
  CHECK(call["processes"] == 2);
  CHECK(call["settings"]["vae_crops.frames"] == "5");
  CHECK(std::count(log.begin(), log.end(), '\n') == 1 + 5);  // every step once
  CHECK(log.find("\"stage\":\"star_short\",\"step\":2") != std::string::npos);
}

TEST_CASE("train names the setting that is wrong before anything is made", "[cli][train]") {
  struct Case {
    const char* line;   ///< in place of the good one
    const char* error;  ///< what is said of it
  };
  const Case cases[] = {
      {"vae_crops: { steps: 1, height: 48, width: 64, frames: 5, learning_rate: 0.001 }",
       "vae_crops.batch: expected clips a step, got 0"},
      {"vae_crops: { steps: 1, batch: 2, height: 208, width: 64, frames: 5, learning_rate: 0.001 }",
       "vae_crops.height: expected a multiple of 16 up to 192, got 208"},
      {"vae_crops: { steps: 1, batch: 2, height: 48, width: 64, frames: 6, learning_rate: 0.001 }",
       "vae_crops.frames: expected 4 n + 1, got 6"},
      {"vae_crops: { steps: 1, batch: 2, height: 48, width: 64, frames: 5 }",
       "vae_crops.learning_rate: expected more than 0, got 0"},
      {"star_short: { steps: 1, batch: 12, learning_rate: 0.001 }",
       "star_short.batch: expected a multiple of 8, got 12"},
      {"star_short: { steps: 1, batch: 16, capacity: 8, learning_rate: 0.001 }",
       "star_short.capacity: expected at least the batch, 16, got 8"},
      {"star_short: { steps: 1, batch: 8, half_clip: true, learning_rate: 0.001 }",
       "half_clip: expected clips of an even number of latent frames"},
      {"star_short: { steps: 0 }", "nothing to train: no phase has steps"},
      {"world: { wording: study }", "world.wording"},
      {"star_optimizer: { beta2: 1 }", "star_optimizer.beta2: expected less than 1, got 1"},
      {"vae_noise: { fewest_kept: 12 }", "vae_noise.fewest_kept: expected at most 11"},
      {"star_loss: { objects: 3 }", "star_loss.object"},
  };
  const TempDir folder;
  prepare(folder, 1);
  for (const auto& [line, error] : cases) {
    std::string text = fmt::format("run: {{ model: small.yaml }}\n{}\n", line);
    const bool is_stage = std::string_view(line).find("steps:") != std::string_view::npos;
    if (!is_stage) text += "star_short: { steps: 1, batch: 8, learning_rate: 0.001 }\n";
    test::write_text(folder / "bad.yaml", text);
    const auto outcome = run(folder, "train --config bad.yaml --out new --device cpu --progress none");
    CAPTURE(line, outcome.error);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.error.starts_with("error: "));
    CHECK(outcome.error.find(error) != std::string::npos);
  }
  for (const char* flags : {"--stop-after 0", "--stop-after nan", "--devices cpu,0", "--devices 0,0"}) {
    CAPTURE(flags);
    CHECK(run(folder, std::string("train --config settings.yaml --out new ") + flags).exit_code == 2);
  }
  CHECK_FALSE(fs::exists(folder / "new" / "log.jsonl"));
}

TEST_CASE("train says which stage or phase it does not know", "[cli][train]") {
  const TempDir folder;
  prepare(folder, 1);
  const auto error_of = [&](const char* flags) {
    const auto outcome = run(folder, std::string("train --out new --device cpu --progress none ") + flags);
    CHECK(outcome.exit_code == 2);
    return outcome.error;
  };
  CHECK(error_of("--stage moon").starts_with("error: --stage moon: expected one of scratch, further, "));
  CHECK(error_of("--stage vae_crops") ==
        "error: --stage vae_crops: that is a phase, not a stage\nhint: --phase vae_crops\n");
  CHECK(error_of("--phase vae_crops").starts_with("error: --phase: needs --stage too"));
  CHECK(error_of("--stage pan").starts_with("error: stage pan starts from stage further: new/further holds no "));
  CHECK(error_of("--config train-tiny-pan").starts_with("error: train-tiny-pan: this recipe is a stage of train-tiny"));
  CHECK(error_of("--config settings.yaml --stage pan") == "error: --stage pan: the recipe has no stages\n");
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
