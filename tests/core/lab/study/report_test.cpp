#include "core/lab/study/report.h"

#include <fmt/format.h>

#include <cmath>

#include "core/lab/study/results.h"
#include "core/lab/study/statistics.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

double mse_of(double psnr) { return 255 * 255 / std::pow(10, psnr / 10); }

/// A result whose PSNR is known.
StudyRecord result(int64_t prompt, const std::string& variant, const VariantTexts& settings, double psnr) {
  StudyRecord record{.setup = "setup", .prompt = prompt, .text = "a ball", .variant = variant, .settings = settings};
  record.tokens = 100;
  record.kept = 75;
  record.guidance.work = 0.6;
  record.decode_ms = 10;
  record.scale_ms = {30, variant == kDenseVariant ? 60.0 : 15.0};
  record.part_ms.resize(2);
  record.part_ms[1][PassPart::linear] = variant == kDenseVariant ? 40 : 10;
  record.part_ms[1][PassPart::reduction] = variant == kDenseVariant ? 0 : 1 + static_cast<double>(prompt);
  if (variant == kDenseVariant) {
    record.scales = {{1, 2, 3}, {8, 2, 3}};
    record.high_frequency = {.1, .2};
  } else {
    record.from_dense = ClipDistance{.mse = mse_of(psnr), .psnr_mean = psnr, .ssim = .9};
    record.passes = {{.scale = 1, .repetition = 0, .tokens = 48, .kept = 24, .pruned_again = .5}};
  }
  return record;
}

/// Three prompts: random 20, 22, 24 dB, faststar 21, 25, 26 dB.
void write_results(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::string lines;
  for (int64_t prompt = 0; prompt < 3; ++prompt) {
    const auto at = static_cast<size_t>(prompt);
    const VariantTexts faststar = {{"method", "faststar"}};
    const VariantTexts p1 = {{"method", "faststar"}, {"faststar.p", "1"}};
    const VariantTexts even = {{"method", "faststar"}, {"ratios", "[0.2,0.3,0.4,0.5]"}};
    for (const StudyRecord& record : {result(prompt, kDenseVariant, {}, 0), result(prompt, kOtherSeedVariant, {}, 15),
                                      result(prompt, "random", {{"method", "random"}}, std::vector{20., 22., 24.}[at]),
                                      result(prompt, "faststar", faststar, std::vector{21., 25., 26.}[at]),
                                      result(prompt, "p 1", p1, 23), result(prompt, "last <0.5>", even, 27)}) {
      lines += fmt::format("{}\n", to_json_line(record));
    }
  }
  test::write_text(folder / "results.jsonl", lines);
}

TEST_CASE("differences are those of the same prompt, with the standard error of their mean", "[study]") {
  const TempDir folder;
  write_results(folder.path());
  const StudySummary study = summarize_study(read_results(folder.path()));
  CHECK(study.prompts == 3);
  const VariantSummary& variant = *study.find("faststar");
  CHECK(variant.psnr.mean == Approx(24));
  CHECK(variant.psnr.median == Approx(25));
  CHECK(variant.psnr.deviation == Approx(std::sqrt(7.)));
  CHECK(variant.from_random.mean == Approx(2));  // 1, 3 and 2 dB
  CHECK(variant.from_random.standard_error() == Approx(1 / std::sqrt(3.)));
  CHECK(variant.wins == 1);
  CHECK(*variant.pooled_psnr == Approx(psnr((mse_of(21) + mse_of(25) + mse_of(26)) / 3)));
  CHECK(variant.backbone_speedup.median == Approx(2));
  CHECK(variant.end_to_end_speedup.median == Approx(100. / 55));
  CHECK_FALSE(variant.right);
}

TEST_CASE("clips without any difference have no PSNR and are counted", "[study]") {
  StudyRecord same = result(0, "random", {{"method", "random"}}, 30);
  same.from_dense->mse = 0;
  const StudySummary study = summarize_study({same, result(1, "random", {{"method", "random"}}, 30)});
  CHECK(study.variants[0].identical == 1);
  CHECK(study.variants[0].psnr.count == 1);
  CHECK(study.variants[0].psnr.mean == Approx(30));
}

TEST_CASE("the report has the table and every plot", "[study]") {
  const TempDir folder;
  write_results(folder.path());
  const std::string markdown = write_study_report(folder.path());
  CHECK(markdown.find("| faststar | 3 | 75.0 | 60.0 | 24.00 ± 2.6 | 25.00 | +2.00 ± 0.58 | 1.00 |") !=
        std::string::npos);
  CHECK(markdown.find("another seed: 15.00 dB") != std::string::npos);
  CHECK(test::read_text(folder / "study.json").find("\"psnr_above_random\"") != std::string::npos);
  const std::string page = test::read_text(folder / "study.html");
  for (const char* title : {"PSNR to the dense clip vs. speed-up", "Scorers at equal tokens", "Norm that combines",
                            "Ratio of the last scale", "Lock-in", "High frequencies", "Time of each scale"}) {
    CHECK(page.find(title) != std::string::npos);
  }
  CHECK(page.find("no results for this plot") == std::string::npos);
  CHECK(page.find("faststar, reduction: 2") != std::string::npos);
  CHECK(markdown.find("| 2x3 | dense | 40.00 | 0.00 | 0.00 | 0.00 | 0.00 | 40.00 |") != std::string::npos);
  CHECK(markdown.find("| 2x3 | faststar | 10.00 | 0.00 | 2.00 | 0.00 | 0.00 | 12.00 |") != std::string::npos);
  CHECK(page.find("last &lt;0.5&gt;") != std::string::npos);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("src=") == std::string::npos);
}

TEST_CASE("a report needs whole results of one study", "[study]") {
  const TempDir folder;
  CHECK(test::error_of([&] { write_study_report(folder.path()); }).kind() == ErrorKind::input);
  write_results(folder.path());
  test::write_text(folder / "results-1.jsonl", "{\"prompt\": 1}\n");
  const Error error = test::error_of([&] { write_study_report(folder.path()); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()).find("results-1.jsonl:1") != std::string::npos);
}

}  // namespace
}  // namespace faststar
