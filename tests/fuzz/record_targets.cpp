#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/lab/heatmap/heatmap.h"
#include "core/lab/heatmap/sample_trace.h"
#include "core/lab/heatmap/trace.h"
#include "core/lab/study/report.h"
#include "core/lab/study/results.h"
#include "core/lab/train/train_log.h"
#include "core/lab/verify/fixture_set.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/request.h"
#include "fuzz/target.h"
#include "support/support.h"

namespace faststar::fuzz {
namespace {

void read_manifest(std::string_view bytes) {
  Manifest manifest(scratch_file("manifest.jsonl", bytes));
  manifest.refresh();
  const BatchItem item{.file = "a.mp4", .prompt = "a cat", .seed = 7};
  find_conflict(manifest, item, "0011223344556677");
  is_finished(BatchFolder(manifest.path().parent_path()), item, manifest.find(item.file));
}

std::vector<std::string> manifests() {
  const auto path = scratch_name("manifest.jsonl");
  Manifest manifest(path);
  ManifestRecord record{.file = "a.mp4", .finished = true, .prompt_en = "a cat", .seed = 7, .bytes = 100};
  record.settings_hash = "0011223344556677";
  record.result.seconds = {{"tokens", 1.5}};
  manifest.append(record);
  record.finished = false;
  record.error = "disk full";
  manifest.append(record);
  return {bytes_in(path)};
}

/// The records of a study, and the report that is made of them.
void read_study_results(std::string_view bytes) {
  const auto file = scratch_file("study/results.jsonl", bytes);
  for (const StudyRecord& record : read_results(file.parent_path())) to_json_line(record);
  write_study_report(file.parent_path());
}

std::vector<std::string> study_results() {
  StudyRecord record{.setup = "00", .prompt = 0, .text = "a red ball", .seed = 3, .variant = kDenseVariant};
  record.tokens = 100;
  record.kept = 100;
  record.scale_ms = {1, 2};
  record.part_ms.resize(2);
  record.scales = {{1, 2, 3}, {1, 4, 6}};
  record.high_frequency = {0.1, 0.2};
  record.seen = SeenAttributes{.all = true};
  std::string text = to_json_line(record) + "\n";
  record.scales.clear();
  record.high_frequency.clear();
  record.from_dense = ClipDistance{.mse = 2, .psnr_mean = 40, .ssim = 0.9};
  record.given_dense = record.from_dense;
  record.given_truth = record.from_dense;
  record.passes = {{.scale = 1, .repetition = 0, .tokens = 24, .kept = 12}};
  record.settings = {{"method", "random"}, {"ratios", "[0.5]"}};
  for (const char* variant : {kRandomVariant, kFastStarVariant, kOtherSeedVariant, kNoiseFloorVariant}) {
    record.variant = variant;
    text += to_json_line(record) + "\n";
  }
  return {text};
}

void read_log(std::string_view bytes) {
  const TrainRecord record = read_train_log(scratch_file("log.jsonl", bytes));
  plot_losses(record, scratch_name("loss.svg"));
}

std::vector<std::string> logs() {
  return {R"({"call":{"config":"train-tiny","processes":2,"settings":{"run.seed":"3"},"stage":"a","from":"m"}}
{"stage":"vae_crops","step":50,"steps":100,"processes":2,"ms_per_step":3.5,"loss":0.25,"seconds":1.5}
{"stage":"vae_crops","step":100,"steps":100,"ms_per_step":3.5,"loss":0.125,"seconds":3}
)"};
}

/// Codes, and the request to decode them.
void read_saved_codes(std::string_view bytes) {
  const auto file = scratch_file("v.codes.safetensors", bytes);
  SavedCodes codes = read_codes(file);
  static const std::string output = scratch_name("decoded.mp4").string();
  static const ResolvedSettings resolved = resolve_settings(
      {.flags = {{"random_weights", "true"}, {"device", "cpu"}, {"output", output}}, .config = "tiny"});
  make_decode_request(std::move(codes), file.string(), resolved);
}

std::vector<std::string> saved_codes() {
  const auto path = scratch_name("sample.codes.safetensors");
  const Tensor clip = at::zeros({1, 64, 1, 1, 2});
  write_codes(path,
              {.clips = {clip, clip},
               .command = "v2v",
               .settings_json = R"({"prompt":{"prompt":"a cat"},"sampling":{"seed":7},"generate":{"only_new":true}})",
               .vae_fingerprint = "0011223344556677"},
              Existing::replace);
  return {bytes_in(path)};
}

void read_reduction_trace(std::string_view bytes) {
  const Trace trace = read_trace(scratch_file("v.trace.safetensors", bytes));
  const HeatmapPainter painter(trace, {.height = 48, .width = 64});
  const HeatmapFrame first{.pixels = at::zeros({48, 64, 3}, at::kByte), .place = {.clip = trace.steps.front().clip}};
  painter.paint({first});
  place_frames(trace, 9);
}

std::vector<std::string> traces() {
  const auto path = scratch_name("sample.trace.safetensors");
  test::write_sample_trace(path);
  return {bytes_in(path)};
}

/// The settings of the runs that a fixture set was made with.
void read_fixtures(std::string_view bytes) {
  const auto file = scratch_file("fixtures/meta.json", bytes);
  FixtureSet(file.parent_path(), at::kCPU, at::kFloat, LinearPrecision::backbone).meta_task();
  scratch_file("fixtures/tasks.json", bytes);
  FixtureSet(file.parent_path(), at::kCPU, at::kFloat, LinearPrecision::backbone).task("i2v");
}

std::vector<std::string> fixtures() {
  const std::string task = R"("reps": [1, 2], "apg": 1, "cfg": 3.5, "sem": 1, "det": 40, "tau": 0.4,
 "scales": [[1, 1, 1], [1, 2, 3]], "given_steps": 1, "summed_channels": [0, 3], "frames_stored": [0])";
  return {"{" + task + ", \"i2v\": {" + task + "}}"};
}

}  // namespace

std::vector<Target> record_targets() {
  return {
      {"manifest", read_manifest, manifests},  {"study-results", read_study_results, study_results},
      {"train-log", read_log, logs},           {"codes", read_saved_codes, saved_codes},
      {"trace", read_reduction_trace, traces}, {"fixtures", read_fixtures, fixtures},
  };
}

}  // namespace faststar::fuzz
