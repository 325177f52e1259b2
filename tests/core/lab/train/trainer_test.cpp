#include "core/lab/train/trainer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/weights/safetensors.h"
#include "core/lab/train/small_run.h"
#include "support/stop_after.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

/// A run of all phases in one go, made once.
const fs::path& whole_run() {
  static const test::TempDir folder;
  static const fs::path run = [] {
    TrainJob job = test::small_run(folder.path());
    job.settings.run.sample_clips = 1;
    SilentProgress progress;
    REQUIRE(run_training(job, progress).finished);
    return folder.path();
  }();
  return run;
}

bool same_tensors(const fs::path& a, const fs::path& b) {
  const auto left = open_safetensors(a), right = open_safetensors(b);
  return !left->tensors().empty() && left->tensors().size() == right->tensors().size() &&
         std::ranges::all_of(left->tensors(), [&](const auto& named) {
           const auto& [name, info] = named;
           return test::same(left->read(name, info, at::kCPU), right->read(name, info, at::kCPU));
         });
}

std::vector<nlohmann::json> read_log(const fs::path& run) {
  std::vector<nlohmann::json> entries;
  std::istringstream lines(test::read_text(run / "log.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (!entry.contains("call")) entries.push_back(entry);
  }
  return entries;
}

TEST_CASE("a run leaves a log, pictures, and a model that makes a video", "[train]") {
  const fs::path& run = whole_run();
  const auto log = read_log(run);
  REQUIRE(log.size() == 6);  // every step
  CHECK(log.front()["stage"] == "vae_crops");
  CHECK(log.back()["stage"] == "star_short");
  CHECK(log.back()["step"] == 2);
  for (const char* picture :
       {"vae_crops-000002.png", "vae_frames-000001.png", "vae_decoder-000001.png", "star_short-000002.png"}) {
    CHECK(fs::file_size(run / "samples" / picture) > 0);
  }
  CHECK(test::read_text(run / "loss.svg").find("star_short, 2 steps") != std::string::npos);
  CHECK(test::read_text(run / "model" / "model.yaml") == test::kSmallPreset);
  CHECK(test::read_text(run / "model" / "t5" / "spiece.model") == test::read_text(run / "pack" / "spiece.model"));
  const std::string video = fmt::format(
      "cd '{}' && '{}' t2v --model model -p 'a red ball' --duration 1 --seed 1 "
      "--device cpu --precision fp32 -o v.mp4 >out 2>err </dev/null",
      run.string(), test::program());
  CHECK(std::system(video.c_str()) == 0);
  CAPTURE(test::read_text(run / "err"));
  CHECK(fs::exists(run / "v.mp4"));
}

TEST_CASE("a run that is stopped and started again equals an uninterrupted one", "[train]") {
  const test::TempDir folder;
  const TrainJob job = test::small_run(folder.path());
  for (const int steps : {1, 3, 9}) {
    test::StopAfter progress(steps);
    CHECK(run_training(job, progress).finished == (steps == 9));
  }
  for (const char* file : {"state/vae-0.safetensors", "state/star-0.safetensors", "model/vae.safetensors"}) {
    CAPTURE(file);
    CHECK(same_tensors(folder / file, whole_run() / file));
  }
}

TEST_CASE("a run that is resumed with other settings says which", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  job.last_phase = TrainPhase::vae_crops;
  test::StopAfter one_step(1), another_step(1);
  const test::CollectWarnings warnings;
  run_training(job, one_step);
  CHECK(warnings.lines().empty());
  job.settings.world.emphasis = 3.5;
  job.settings.vae_crops.steps = 3;
  run_training(job, another_step);
  CHECK(warnings.has("resumed with changed settings: vae_crops.steps 3 (was 2), world.emphasis 3.5 (was 2)"));
}

TEST_CASE("features start at the quantiser's range, whichever phase comes first", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  job.settings.vae_crops.steps = GENERATE(0, 1);
  job.last_phase = TrainPhase::vae_frames;
  SilentProgress progress;
  run_training(job, progress);
  CHECK(read_log(folder.path()).front()["feature_power"].get<double>() == Approx(.5).epsilon(.02));
}

TEST_CASE("a run is resumed from a pack alone", "[train]") {
  const test::TempDir first, second;
  test::StopAfter one_step(1);
  CHECK_FALSE(run_training(test::small_run(first.path()), one_step).finished);
  TrainJob job = test::small_run(second.path());
  fs::remove(second / "vocabulary/spiece.model");
  fs::copy(first / "pack", second / "pack", fs::copy_options::recursive);
  test::StopAfter last_step(1);
  CHECK(run_training(job, last_step).phase == "vae_frames");
  CHECK(read_log(second.path()).front()["step"] == 2);
  CHECK(test::read_text(second / "vocabulary/spiece.model") == test::read_text(first / "vocabulary/spiece.model"));
}

TEST_CASE("the transformer is trained on the VAE of a pack", "[train]") {
  const test::TempDir folder;
  fs::create_directories(folder / "pack");
  for (const char* file : {"vae-0.safetensors", "spiece.model"}) {
    fs::copy(whole_run() / "pack" / file, folder / "pack" / file);
  }
  TrainJob job = test::small_run(folder.path());
  job.settings.run.sample_clips = 1;
  SilentProgress progress;
  CHECK(run_training(job, progress).finished);
  CHECK(read_log(folder.path()).front()["stage"] == "star_short");
  CHECK(same_tensors(folder / "pack/vae-0.safetensors", whole_run() / "pack/vae-0.safetensors"));
}

TEST_CASE("a new run can start with a model's weights", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  fs::remove(folder / "vocabulary/spiece.model");
  job.from = (whole_run() / "model").string();
  for (VaePhaseSettings* phase : {&job.settings.vae_crops, &job.settings.vae_frames, &job.settings.vae_decoder}) {
    phase->steps = 0;
  }
  job.settings.star_short.steps = 0;
  SilentProgress progress;
  CHECK(run_training(job, progress).finished);
  for (const char* file :
       {"model/vae.safetensors", "model/t5/model.safetensors", "model/transformer/model-00001-of-00001.safetensors"}) {
    CAPTURE(file);
    CHECK(same_tensors(folder / file, whole_run() / file));
  }
  CHECK(test::read_text(folder / "model/t5/spiece.model") == test::read_text(whole_run() / "model/t5/spiece.model"));
}

TEST_CASE("a run cannot start with a model of other sizes", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  job.from = preset_file("tiny").parent_path().string();
  SilentProgress progress;
  const Error error = test::error_of([&] { run_training(job, progress); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(std::string(error.what()).starts_with("--from "));
}

TEST_CASE("a loss that is not finite ends the run and keeps the state before", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  job.last_phase = TrainPhase::vae_crops;
  job.settings.run.save_every = 0;
  job.settings.vae_crops.steps = 20;
  job.settings.vae_crops.learning_rate = {.start = 1e30, .end = 1e30, .warmup = 1};
  SilentProgress progress;
  const Error error = test::error_of([&] { run_training(job, progress); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(std::string(error.what()).find("the loss is not finite") != std::string::npos);
  const auto kept = open_safetensors(folder / "pack/vae-0.safetensors");
  const std::string name = "average.decoder.conv_in.conv.weight";
  CHECK(kept->read(name, kept->tensors().at(name), at::kCPU).isfinite().all().item<bool>());
}

TEST_CASE("a model that training does not know is a usage error", "[train]") {
  const test::TempDir folder;
  TrainJob job = test::small_run(folder.path());
  job.settings.run.model = "nothing";
  SilentProgress progress;
  CHECK(test::error_of([&] { run_training(job, progress); }).kind() == ErrorKind::usage);
}

TEST_CASE("a recipe trains its stages one after the other, each from the model of the one that it names", "[train]") {
  const test::TempDir folder;
  const TrainJob common = test::small_run(folder.path());
  TrainSettings first = common.settings, second = common.settings;
  for (VaePhaseSettings* phase : {&second.vae_crops, &second.vae_frames, &second.vae_decoder}) phase->steps = 0;
  second.star_short.steps = 1;
  const std::vector<RecipeStage> recipe = {{.name = "one", .from = "", .settings = first},
                                           {.name = "two", .from = "one", .settings = second}};
  for (const char* stage : {"one", "two"}) {
    fs::create_directories(folder / stage);
    fs::copy(folder / "vocabulary", folder / stage / "vocabulary");
  }
  SilentProgress progress;
  const Error early = test::error_of([&] { train_recipe(recipe, "two", common, progress); });
  CHECK(early.kind() == ErrorKind::usage);
  CHECK(std::string(early.what()).starts_with("stage two starts from stage one: "));

  test::StopAfter one_step(1);
  CHECK_FALSE(train_recipe(recipe, "", common, one_step).finished);
  const TrainReport report = train_recipe(recipe, "", common, progress);  // resumed
  CHECK(report.finished);
  CHECK(report.folder == folder / "two");
  CHECK(same_tensors(folder / "one/model/vae.safetensors", whole_run() / "model/vae.safetensors"));
  CHECK(same_tensors(folder / "two/model/vae.safetensors", folder / "one/model/vae.safetensors"));
  CHECK_FALSE(same_tensors(folder / "two/model/transformer/model-00001-of-00001.safetensors",
                           folder / "one/model/transformer/model-00001-of-00001.safetensors"));
  CHECK(read_log(folder / "two").size() == 1);
  CHECK(train_recipe(recipe, "", common, progress).finished);  // nothing left to do
  CHECK(read_log(folder / "two").size() == 1);
}

}  // namespace
}  // namespace faststar
