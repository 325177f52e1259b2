#include "core/lab/study/run_study.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/lab/study/frame_strip.h"
#include "core/lab/study/report.h"
#include "core/lab/study/small_study.h"
#include "core/media/sample_media.h"
#include "support/catch.h"
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
  CHECK_FALSE(find(records, 0, "random").continued);  // one video clip
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

TEST_CASE("of longer videos the later clips alone are compared too, from the first clip of the dense run", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.schedule = SmallStudy::make_scales(2);
  study.job.prompts.resize(1);
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  const auto records = read_results(study.job.folder);
  CHECK_FALSE(find(records, 0, kDenseVariant).continued);
  CHECK_FALSE(find(records, 0, kOtherSeedVariant).continued);
  CHECK(find(records, 0, kNoiseFloorVariant).continued->mse == 0);

  GenerationSettings settings = study.settings(ReductionMethod::none);
  settings.seed = study.job.prompts[0].seed;
  const TextFeatures text = study.evaluated.encode_text(study.job.prompts[0].text);
  const MeasuredRun dense = measure_run(study.pipeline, study.schedule, settings, {.text = text});
  settings.reduction.method = ReductionMethod::random;
  // 6 passes of the image, 7 of the first video clip, whose frames are 1 to 8.
  const std::vector<Tensor> given(dense.bits.begin(), dense.bits.begin() + 13);
  const MeasuredRun later = measure_run(study.pipeline, study.schedule, settings, {.text = text, .given_bits = given});
  const auto frames = [&](const MeasuredRun& run) {
    return to_frames(study.pipeline.decode(run.codes).unsqueeze(0)).to(at::kFloat);
  };
  const Tensor squares = (frames(dense) - frames(later)).square();
  CHECK(squares.narrow(0, 0, 9).max().item<float>() == 0);
  CHECK(find(records, 0, "random").continued->mse == Approx(squares.narrow(0, 9, 8).mean().item<double>()));
  CHECK_THAT(write_study_report(study.job.folder), ContainsSubstring("continued"));
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

TEST_CASE("a report says who made the results, every machine and version of them", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  SilentProgress silent;
  study.job.run = {.date = "2026-12-01T10:00:00Z",
                   .program = "faststar 0.1.0 (aaaa), LibTorch 2.11.0",
                   .machine = "one CPU",
                   .device = "cpu, fp32",
                   .model = "small model",
                   .settings = "64x48, 9 frames",
                   .prompts = "2 prompts",
                   .seed = "17",
                   .command = "faststar study reduction --out x"};
  study.job.shard = parse_shard("1/2", "--shard");
  run_study(study.model, study.job, silent);
  const std::string one = write_study_report(study.job.folder);
  const std::string page_of_one = test::read_text(study.job.folder / "study.html");
  for (const char* fact : {"2026-12-01", "faststar 0.1.0 (aaaa), LibTorch 2.11.0", "one CPU", "cpu, fp32",
                           "small model", "64x48, 9 frames", "17", "faststar study reduction --out x"}) {
    INFO(fact);
    CHECK_THAT(one, ContainsSubstring(fact));
    CHECK_THAT(page_of_one, ContainsSubstring(fact));
  }
  CHECK_THAT(one, ContainsSubstring("- Machine: one CPU\n"));

  study.job.run.date = "2026-12-03T10:00:00Z";
  study.job.run.machine = "another CPU";
  study.job.run.program = "faststar 0.2.0 (bbbb), LibTorch 2.11.0";
  study.job.shard = parse_shard("2/2", "--shard");
  run_study(study.model, study.job, silent);
  const std::string both = write_study_report(study.job.folder);
  CHECK_THAT(both, ContainsSubstring("- Date: 2026-12-01 to 2026-12-03\n"));
  CHECK_THAT(both, ContainsSubstring("- Machine: one CPU (5 results); another CPU (5 results)\n"));
  CHECK_THAT(both, ContainsSubstring("(aaaa), LibTorch 2.11.0 (5 results); faststar 0.2.0 (bbbb)"));
  CHECK_THAT(both, ContainsSubstring("- Device: cpu, fp32\n"));  // both the same
  CHECK_THAT(test::read_text(study.job.folder / "study.json"), ContainsSubstring("another CPU"));
}

TEST_CASE("a stopped study that goes on elsewhere names both machines, and nobody who made nothing", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.job.run.date = "2026-12-01T10:00:00Z";
  study.job.run.machine = "first";
  test::StopAfter stops(4);
  CHECK(test::error_of([&] { run_study(study.model, study.job, stops); }).kind() == ErrorKind::interrupted);
  study.job.run.date = "2026-12-02T10:00:00Z";
  study.job.run.machine = "second";
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  study.job.run.date = "2026-12-03T10:00:00Z";
  study.job.run.machine = "third";
  run_study(study.model, study.job, silent);
  const std::string report = write_study_report(study.job.folder);
  CHECK_THAT(report, ContainsSubstring("- Machine: first (4 results); second (6 results)\n"));
  CHECK(report.find("third") == std::string::npos);
}

TEST_CASE("frames of the first prompts are kept beside each other, and survive a stop and shards", "[study]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  SmallStudy study(folder);
  study.job.prompts = listed_prompts({"a ball", "a star", "a ring", "a <box>"}, 0);
  std::swap(study.job.prompts[1].text, study.job.prompts[3].text);
  test::StopAfter stops(3);
  study.job.shard = parse_shard("1/2", "--shard");
  CHECK(test::error_of([&] { run_study(study.model, study.job, stops); }).kind() == ErrorKind::interrupted);
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  study.job.shard = parse_shard("2/2", "--shard");
  run_study(study.model, study.job, silent);
  const auto records = read_results(study.job.folder);
  const ShownPrompts shown = shown_prompts(records);
  REQUIRE(shown.prompts.size() == kPromptsShown);
  for (const ShownPrompt& prompt : shown.prompts) {
    CHECK(prompt.strips.size() == 5);
    CHECK(prompt.strips.front().variant == kDenseVariant);
  }
  CHECK(find(records, 3, kDenseVariant).frames.empty());
  write_study_report(study.job.folder);
  const std::string page = test::read_text(study.job.folder / "study.html");
  size_t pictures = 0;
  for (size_t at = page.find("src="); at != std::string::npos; at = page.find("src=", at + 1)) {
    ++pictures;
    CHECK(page.compare(at, 28, "src=\"data:image/jpeg;base64,") == 0);
  }
  CHECK(pictures == 15);
  CHECK_THAT(page, ContainsSubstring("Prompt 2: a &lt;box&gt; (seed 1)"));
  // A page stays small: what does not fit is counted.
  const size_t of_one = shown_prompts(records).prompts.front().strips.front().frames.size();
  const ShownPrompts few = shown_prompts(records, 6 * of_one);
  CHECK(few.prompts.size() == 1);
  CHECK(few.left_out == 2);
}

TEST_CASE("a study can leave its controls out", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  study.job.prompts.resize(1);
  study.job.controls = Controls::leave_out;
  SilentProgress silent;
  run_study(study.model, study.job, silent);
  const std::vector<std::string> expected = {"0 dense", "0 random", "0 skip"};
  CHECK(keys(read_results(study.job.folder)) == expected);
  const std::string report = write_study_report(study.job.folder);
  CHECK(report.find(kNoiseFloorVariant) == std::string::npos);
  CHECK(report.find("another seed") == std::string::npos);
}

TEST_CASE("flipped bits are counted once for all variants of one arithmetic", "[study]") {
  const TempDir folder;
  SmallStudy study(folder);
  const StarTransformer unlike({make_random_weights(7), at::kCPU, at::kFloat}, test::kSmallModel);
  Model other(Networks{.transformer = &unlike, .vae = &study.vae});
  const Pipeline counted(other);
  study.model.others[Precision::bf16] = &counted;
  PromptStudy prompt(study.model, study.job.prompts[0]);
  StudyVariant variant = SmallStudy::variant("random", ReductionMethod::random);
  variant.precision = Precision::bf16;
  const auto first = prompt.measure(variant).flipped;
  CHECK(*std::ranges::max_element(first) > 0);
  // Were they counted again, a pipeline that flips nothing would tell.
  study.model.others[Precision::bf16] = &study.pipeline;
  CHECK(prompt.measure(variant).flipped == first);
  variant.fp8_scales = ScaleChoice{.last = 2};
  CHECK(prompt.measure(variant).flipped == std::vector<double>(first.size(), 0));
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
  const StudyModel model{.evaluated = study.evaluated,
                         .schedule = schedule,
                         .others = {{Precision::bf16, &study.pipeline}},
                         .world = &clips,
                         .setup = "setup"};
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
  // The first frame is given to a variant of another precision as well, here with the same arithmetic.
  StudyVariant other = SmallStudy::variant("random", ReductionMethod::random);
  other.precision = Precision::bf16;
  CHECK(variants.measure(other).given_dense->mse == random.given_dense->mse);
}

}  // namespace
}  // namespace faststar
