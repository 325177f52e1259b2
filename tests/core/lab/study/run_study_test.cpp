#include "core/lab/study/run_study.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/lab/study/report.h"
#include "core/lab/study/small_study.h"
#include "support/stop_after.h"

namespace faststar {
namespace {

using test::SmallStudy;
using test::TempDir;

std::vector<std::string> keys(const std::vector<StudyRecord>& records) {
  std::vector<std::string> names;
  for (const StudyRecord& record : records) names.push_back(fmt::format("{} {}", record.prompt, record.variant));
  return names;
}

const StudyRecord& find(const std::vector<StudyRecord>& records, int64_t prompt, const std::string& variant) {
  const auto found = std::ranges::find_if(
      records, [&](const StudyRecord& record) { return record.prompt == prompt && record.variant == variant; });
  REQUIRE(found != records.end());
  return *found;
}

TEST_CASE("a stopped study goes on where it was, and asks for nothing twice", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  test::StopAfter stops(4);
  CHECK(test::error_of([&] { run_study(study.model, study.job, stops); }).kind() == ErrorKind::interrupted);
  const std::filesystem::path file = study.job.folder / "results.jsonl";
  CHECK(read_results(study.job.folder).size() == 4);
  test::write_text(file, test::read_text(file) + "{\"setup\":\"set");  // killed while writing
  test::StopAfter rest(1000);
  run_study(study.model, study.job, rest);
  CHECK(rest.planned == 6);
  const std::vector<std::string> expected = {"0 dense", "0 other seed", "0 noise floor", "0 random", "0 skip",
                                             "1 dense", "1 other seed", "1 noise floor", "1 random", "1 skip"};
  CHECK(keys(read_results(study.job.folder)) == expected);
  test::StopAfter nothing(1000);
  run_study(study.model, study.job, nothing);
  CHECK(nothing.planned == 0);
}

TEST_CASE("results say what was computed and how near it came", "[study]") {
  const TempDir folder;
  SmallStudy study(folder, GENERATE(from_range(test::test_devices())));
  study.job.prompts.resize(1);
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  const auto records = read_results(study.job.folder);
  const StudyRecord dense = find(records, 0, kDenseVariant);
  CHECK_FALSE(dense.from_dense);
  CHECK(dense.kept == dense.tokens);
  CHECK(dense.scales.size() == 12);
  CHECK(dense.high_frequency.size() == 12);
  const StudyRecord random = find(records, 0, "random");
  CHECK(random.from_dense->mse > 0);
  CHECK(random.scale_ms.front() == dense.scale_ms.front());  // taken from the dense run
  // Of 8 (20 %, the first of two passes), 12 (30 %), 16 (40 %) and 24 (70 %) tokens.
  CHECK(dense.tokens - random.kept == 1 + 3 + 6 + 16);
  REQUIRE(random.passes.size() == 4);
  CHECK(random.passes[0].kept == 8 - 1);
  CHECK_FALSE(random.passes[0].pruned_again);
  CHECK(*random.passes[3].pruned_again > 0.3);
  CHECK(*random.passes[3].pruned_again <= 1);
  CHECK(find(records, 0, kOtherSeedVariant).from_dense->mse > 0);
  if (study.evaluated.device().is_cpu()) CHECK(find(records, 0, kNoiseFloorVariant).from_dense->mse == 0);
}

TEST_CASE("the first prompts are timed by part, and results without these times are as good", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.job.prompts = listed_prompts({"a ball", "a star", "a ring", "a box"}, 0);
  study.job.variants = {SmallStudy::variant(kFastStarVariant, ReductionMethod::faststar)};
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  const auto timed = read_results(study.job.folder);
  REQUIRE(find(timed, 2, kFastStarVariant).part_ms.size() == 12);
  CHECK(find(timed, 2, kFastStarVariant).part_ms.back()[PassPart::reduction] > 0);
  CHECK(find(timed, 2, kDenseVariant).part_ms.back()[PassPart::reduction] == 0);
  CHECK(find(timed, 2, kNoiseFloorVariant).part_ms.empty());
  CHECK(find(timed, 3, kDenseVariant).part_ms.empty());
  CHECK(write_study_report(study.job.folder).find("| 3x4 | faststar |") != std::string::npos);

  std::string lines;
  for (StudyRecord record : timed) {
    record.part_ms.clear();
    lines += to_json_line(record) + "\n";
  }
  CHECK(lines.find("part_ms") == std::string::npos);
  test::write_text(study.job.folder / "results.jsonl", lines);
  test::StopAfter nothing(1000);
  run_study(study.model, study.job, nothing);
  CHECK(nothing.planned == 0);
  CHECK(write_study_report(study.job.folder).find("reduction |") == std::string::npos);
}

TEST_CASE("processes share a study, and their results join", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  SilentProgress silent;
  for (const char* part : {"2/2", "1/2"}) {
    study.job.shard = parse_shard(part, "--shard");
    run_study(study.model, study.job, silent);
  }
  CHECK(std::filesystem::exists(study.job.folder / "results-1.jsonl"));
  const auto records = read_results(study.job.folder);
  CHECK(records.size() == 10);
  find(records, 0, "skip");
  find(records, 1, "skip");
}

TEST_CASE("a folder takes no results of another study", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.job.prompts.resize(1);
  study.job.variants.resize(1);
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  std::string difference;
  SECTION("another model") {
    study.model.setup = "other";
    difference = "another model";
  }
  SECTION("other prompts") {
    study.job.prompts[0].text = "a green ring";
    difference = "other prompts: prompt 0";
  }
  SECTION("a variant with other settings") {
    study.job.variants[0].settings["ratios"] = "[0.5]";
    difference = "other settings of the variant random";
  }
  const Error error = test::error_of([&] { run_study(study.model, study.job, silent); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find(difference) != std::string::npos);
}

TEST_CASE("clips of the procedural world are checked, and with their first frame given held against the true clip",
          "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.evaluated.generation.repetitions = {std::vector<int>(11, 1), std::vector<int>(11, 1)};
  study.evaluated.size.latents_per_clip = 1;
  const Schedule schedule = world_schedule(study.evaluated, 1);
  const HeldOutClips clips(at::kCPU, {}, HeldOutSet::study);
  const StudyModel model{.evaluated = study.evaluated, .schedule = schedule, .world = &clips, .setup = "setup"};
  const StudyPrompt prompt = world_prompts(clips, 3, 1).front();
  CHECK(prompt.seed == 300'000);
  PromptStudy variants(model, prompt);
  const StudyRecord dense = variants.measure({.name = kDenseVariant, .kind = VariantKind::dense});
  CHECK(psnr(dense.given_truth->mse) > 3);  // of pictures that have nothing to do with the clip
  CHECK(psnr(dense.given_truth->mse) < 20);
  CHECK_FALSE(dense.given_dense);
  const StudyRecord random = variants.measure(SmallStudy::variant("random", ReductionMethod::random));
  CHECK(random.given_dense->mse > 0);
  CHECK(random.given_dense->mse < random.given_truth->mse);
}

}  // namespace
}  // namespace faststar
