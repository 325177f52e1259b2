#include "core/lab/study/report.h"

#include <fmt/format.h>

#include <cmath>

#include "core/lab/study/page.h"
#include "core/lab/study/plots.h"
#include "core/lab/study/results.h"
#include "core/lab/study/statistics.h"
#include "support/catch.h"
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
  record.scale_ms = {10, 20, variant == kDenseVariant ? 60.0 : 15.0};
  record.part_ms.resize(3);
  record.part_ms[2][PassPart::linear] = variant == kDenseVariant ? 40 : 10;
  record.part_ms[2][PassPart::reduction] = variant == kDenseVariant ? 0 : 1 + static_cast<double>(prompt);
  if (variant == kDenseVariant) {
    record.scales = {{1, 1, 2}, {1, 2, 3}, {8, 2, 3}};
    record.high_frequency = {.1, .2, .3};
  } else {
    record.from_dense = ClipDistance{.mse = mse_of(psnr), .psnr_mean = psnr, .ssim = .9};
    record.passes = {{.scale = 2, .repetition = 0, .tokens = 48, .kept = 24, .pruned_again = .5},
                     {.scale = 2, .repetition = 1, .tokens = 48, .kept = 24, .pruned_again = .4}};
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
  CHECK(variant.backbone_speedup.ratio == Approx(2));
  CHECK(variant.end_to_end_speedup.ratio == Approx(100. / 55));
  CHECK(variant.right.count == 0);
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
  CHECK_THAT(markdown, ContainsSubstring("another seed"));
  CHECK(test::read_text(folder / "study.json").find("\"psnr_above_random\"") != std::string::npos);
  const std::string page = test::read_text(folder / "study.html");
  for (const char* title :
       {"Frontier: PSNR to the dense clip against time", "Scorers at equal tokens", "Norm that combines",
        "Ratio of the last scale", "Lock-in", "High frequencies", "Time of each scale"}) {
    CHECK(page.find(title) != std::string::npos);
  }
  CHECK(page.find("faststar, reduction: 2") != std::string::npos);
  CHECK_THAT(markdown, ContainsSubstring("| scale | variant | linear | reduction | all ms |"));
  CHECK_THAT(markdown, ContainsSubstring("| 2x3 | dense | 40.00 | 0.00 | 40.00 |"));
  CHECK_THAT(markdown, ContainsSubstring("| 2x3 | faststar | 10.00 | 2.00 | 12.00 |"));
  CHECK(page.find("last &lt;0.5&gt;") != std::string::npos);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("src=") == std::string::npos);
}

std::string report_of(const std::vector<StudyRecord>& records) {
  return study_markdown({.summary = summarize_study(records), .origin = {.parts = {}, .unknown = 1}, .shown = {}});
}

std::string page_of(const std::vector<StudyRecord>& records) {
  return study_html({.summary = summarize_study(records), .origin = {.parts = {}, .unknown = 1}, .shown = {}});
}

/// Results of `variant` that took these shares of the dense time, one a prompt, beside the dense ones.
std::vector<StudyRecord> timed(const std::string& variant, const VariantTexts& settings, std::vector<double> shares) {
  std::vector<StudyRecord> records;
  for (const double share : shares) {
    const auto prompt = static_cast<int64_t>(records.size() / 2);
    records.push_back(result(prompt, kDenseVariant, {}, 0));
    records.push_back(result(prompt, variant, settings, 30));
    records.back().scale_ms = {90 * share};
    records.back().passes.resize(1);
  }
  return records;
}

TEST_CASE("table and plot have one speed-up, with its error", "[study]") {
  auto records = timed("faststar", {{"method", "faststar"}}, {1. / 2, 1. / 8});
  for (const int64_t prompt : {0, 1}) {
    records.push_back(result(prompt, "random", {{"method", "random"}}, 20));
    records.back().scale_ms = {45};
  }
  // Geometric mean of 2 and 8; the logarithms are ln 4 -+ ln 2, so that their mean has the standard error ln 2.
  CHECK_THAT(report_of(records), ContainsSubstring("| 4.00 ± 2.77 |"));
  const std::string page = page_of(records);
  CHECK_THAT(page, ContainsSubstring("<td>4.00 ± 2.77</td>"));
  CHECK_THAT(page, ContainsSubstring("<title>faststar: 25, 30</title>"));  // 25 % of the dense time, 30 dB
  CHECK_THAT(page, ContainsSubstring("<title>random: 50, 20</title>"));
}

TEST_CASE("a noise floor of another speed than the dense run is said at the top", "[study]") {
  auto records = timed(kNoiseFloorVariant, {}, {1.06, 1.08});
  for (StudyRecord& record : records) {
    if (record.from_dense) record.from_dense->mse = 0;
  }
  const std::string busy = report_of(records);
  CHECK_THAT(busy, ContainsSubstring("> Warning: The machine was busy"));
  CHECK_THAT(busy, ContainsSubstring("took 7 ± 1 % longer"));
  CHECK(busy.find("Warning") < busy.find("| variant |"));
  CHECK_THAT(page_of(records), ContainsSubstring("Warning: The machine was busy"));
  // With other operations the time may differ for that reason.
  const std::string other = report_of(timed(kNoiseFloorVariant, {}, {1.6, 1.8}));
  CHECK_THAT(other, ContainsSubstring("> Warning: The noise floor took 70 ± 10 % longer than dense"));
  CHECK_THAT(report_of(timed(kNoiseFloorVariant, {}, {0.9, 0.9})), ContainsSubstring("less time"));
  CHECK(report_of(timed(kNoiseFloorVariant, {}, {1.03, 1.05})).find("Warning") == std::string::npos);
}

TEST_CASE("no plot has a single point, and no footnote is without its column", "[study]") {
  const auto records = timed("faststar", {{"method", "faststar"}}, {.5});
  const std::string page = page_of(records);
  for (const char* title :
       {"Frontier", "Scorers at equal tokens", "Norm that combines", "Ratio of the last scale", "Lock-in"}) {
    INFO(title);
    CHECK(page.find(title) == std::string::npos);
  }
  const std::string report = report_of(records);
  for (const char* absent : {"random", "wins", "median:", "pooled", "correct", "given", "truth", "noise floor",
                             "another seed", "attention:", "rest:", "Flipped"}) {
    INFO(absent);
    CHECK(report.find(absent) == std::string::npos);
  }
  CHECK_THAT(report, ContainsSubstring("speed-up: "));
  CHECK_THAT(report, ContainsSubstring("reduction: "));
}

TEST_CASE("the frontier has the variants that none beats in time and quality, dense among them", "[study]") {
  std::vector<StudyRecord> records;
  const auto add = [&](const std::string& name, double share, double psnr, bool right) {
    const bool is_dense = name == kDenseVariant;
    records.push_back(result(0, name, is_dense ? VariantTexts{} : VariantTexts{{"method", name}}, psnr));
    records.back().scale_ms = {90 * share};
    records.back().seen = SeenAttributes{.background = true, .objects = true, .motion = right, .all = right};
  };
  add(kDenseVariant, 1, 0, true);
  add("faststar", .5, 34, true);
  add("tome", .6, 33, true);  // slower than faststar, and further off
  add("skip", .4, 30, false);
  add("fastvar", .8, 35, true);
  const auto names = [](const Chart& chart) {
    std::vector<std::string> labels;
    for (const ChartPoint& point : chart.frontier) labels.push_back(point.label);
    return labels;
  };
  const std::vector<Chart> charts = study_plots(summarize_study(records));
  REQUIRE(charts.size() >= 2);
  CHECK(names(charts[0]) == std::vector<std::string>{"skip", "faststar", "fastvar"});
  CHECK(charts[0].series.size() == 4);  // of every method
  CHECK(names(charts[1]) == std::vector<std::string>{"skip", "faststar"});
  CHECK(charts[1].series.size() == 5);
  CHECK(charts[1].series[0].points[0].x == Approx(100));  // dense
  CHECK(charts[1].series[0].points[0].y == Approx(100));
}

TEST_CASE("results of earlier versions say that their machine is unknown", "[study]") {
  const TempDir folder;
  write_results(folder.path());  // without runs.jsonl and pictures
  CHECK_THAT(write_study_report(folder.path()), ContainsSubstring("- Date, program, machine: unknown"));
  CHECK(test::read_text(folder / "study.html").find("<h2>Frames") == std::string::npos);
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
