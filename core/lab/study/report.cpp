#include "core/lab/study/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/lab/study/plots.h"
#include "core/lab/study/results.h"
#include "core/lab/study/run_study.h"

namespace faststar {
namespace {

/// A table of text.
struct StudyTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};

std::string with_error(const Spread& spread) {
  if (spread.count == 0) return "";
  if (spread.count == 1) return fmt::format("{:+.2f}", spread.mean);  // one value has no error
  return fmt::format("{:+.2f} ± {:.2f}", spread.mean, spread.standard_error());
}

/// Of shares, in percentage points.
std::string percent_with_error(Spread spread) {
  spread.mean *= 100;
  spread.deviation *= 100;
  return with_error(spread);
}

std::string mean_text(const Spread& spread) { return spread.count == 0 ? "" : fmt::format("{:.2f}", spread.mean); }

std::string psnr_text(const VariantSummary& variant) {
  if (variant.psnr.count == 0) return variant.identical > 0 ? "identical" : "";
  const std::string text = variant.psnr.count == 1
                               ? fmt::format("{:.2f}", variant.psnr.mean)
                               : fmt::format("{:.2f} ± {:.1f}", variant.psnr.mean, variant.psnr.deviation);
  return variant.identical == 0 ? text : fmt::format("{} ({} identical)", text, variant.identical);
}

std::vector<std::string> row_of(const VariantSummary& variant) {
  const bool compared = variant.psnr.count > 0;
  const bool is_random = variant.name == kRandomVariant;
  const bool is_dense = variant.name == kDenseVariant;
  return {variant.name,
          fmt::format("{}", variant.prompts),
          fmt::format("{:.1f}", 100 * variant.kept / static_cast<double>(std::max<int64_t>(variant.tokens, 1))),
          fmt::format("{:.1f}", 100 * variant.work),
          psnr_text(variant),
          compared ? fmt::format("{:.2f}", variant.psnr.median) : "",
          is_random ? "" : with_error(variant.from_random),
          is_random || variant.from_random.count == 0 ? "" : fmt::format("{:.2f}", variant.wins),
          variant.pooled_psnr ? fmt::format("{:.2f}", *variant.pooled_psnr) : "",
          compared ? fmt::format("{:.4f}", variant.ssim) : "",
          fmt::format("{:.0f}", variant.backbone_ms),
          mean_text(variant.backbone_speedup),
          mean_text(variant.end_to_end_speedup),
          variant.right ? fmt::format("{:.1f}", 100 * *variant.right) : "",
          is_dense || !variant.right ? "" : percent_with_error(variant.right_from_dense),
          mean_text(variant.given_psnr),
          mean_text(variant.truth_psnr),
          is_dense ? "" : with_error(variant.truth_from_dense)};
}

void drop_empty_columns(StudyTable& table) {
  for (size_t column = table.head.size(); column-- > 0;) {
    const auto is_empty = [&](const std::vector<std::string>& row) { return row[column].empty(); };
    if (!std::ranges::all_of(table.rows, is_empty)) continue;
    table.head.erase(table.head.begin() + static_cast<int64_t>(column));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<int64_t>(column));
  }
}

/// One row per variant; empty columns are left out.
StudyTable variant_table(const StudySummary& study) {
  StudyTable table{
      .head = {"variant", "prompts", "tokens %", "work %", "PSNR dB ± sd", "median", "vs random ± s.e.", "wins",
               "pooled MSE dB", "SSIM", "backbone ms", "speed-up", "end to end", "correct %",
               "correct: minus dense ± s.e.", "given: vs dense", "given: vs truth", "truth: minus dense ± s.e."},
      .rows = {}};
  for (const VariantSummary& variant : study.variants) table.rows.push_back(row_of(variant));
  drop_empty_columns(table);
  return table;
}

/// "1 prompt", "200 prompts".
std::string prompts_text(const StudySummary& study) {
  return fmt::format("{} {}", study.prompts, study.prompts == 1 ? "prompt" : "prompts");
}

/// Explains the columns.
std::string table_notes(const StudySummary& study) {
  const auto level = [&](const char* name) -> std::string {
    const VariantSummary* const variant = study.find(name);
    if (variant == nullptr) return "not measured";
    if (variant->psnr.count == 0) return "identical";
    return fmt::format("{:.2f} dB", variant->psnr.mean);
  };
  return fmt::format(
      "{}. PSNR and SSIM against the dense clip of the same seed, without frame 0. PSNR is computed per prompt from "
      "the "
      "MSE over its frames; the table has mean, standard deviation and median over prompts. vs random: mean difference "
      "per prompt. Noise floor (reference operations): {}; another seed: {}. tokens: computed, of all passes. work: "
      "guidance rows x tokens computed. Passes "
      "before the first changed scale are taken from the dense run, with their times. correct: clips with every "
      "attribute "
      "of the caption correct. given: generated with the first frame of the true clip.",
      prompts_text(study), level(kNoiseFloorVariant), level(kOtherSeedVariant));
}

/// The bars of latency_plot as rows, milliseconds; no rows when parts were not timed.
StudyTable part_table(const StudySummary& study) {
  const BarChart chart = latency_plot(study);
  StudyTable table{.head = {"scale", "variant"}, .rows = {}};
  table.head.insert(table.head.end(), chart.part_names.begin(), chart.part_names.end());
  table.head.emplace_back("all ms");
  if (chart.part_names.size() == 1) return table;
  for (const BarChart::Group& group : chart.groups) {
    for (const BarChart::Bar& bar : group.bars) {
      auto& row = table.rows.emplace_back(std::vector<std::string>{group.name, bar.name});
      for (const double ms : bar.parts) row.push_back(fmt::format("{:.2f}", ms));
      row.push_back(fmt::format("{:.2f}", std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0)));
    }
  }
  return table;
}

/// Flipped bits of each scale in %, of the variants with other arithmetic; no rows when there are none.
StudyTable flip_table(const StudySummary& study) {
  StudyTable table{.head = {"variant"}, .rows = {}};
  for (const VariantSummary& variant : study.variants) {
    if (variant.flipped.empty()) continue;
    auto& row = table.rows.emplace_back(std::vector<std::string>{variant.name});
    for (const double share : variant.flipped) row.push_back(fmt::format("{:.2f}", 100 * share));
  }
  for (size_t scale = 0; scale < study.scales.size(); ++scale) table.head.push_back(fmt::format("{}", scale));
  return table;
}

constexpr const char* kFlipNotes =
    "Bits of each scale, in %, that other arithmetic draws otherwise than the dense run, when every pass reads the "
    "bits "
    "of the dense run.";

/// Explains the parts and how they were timed.
std::string part_notes() {
  return fmt::format(
      "Milliseconds of each scale of the video clips, all repetitions; medians over the first {} prompts at most, from "
      "separate runs: timing the parts slows a pass a little, so the speed-ups above are from runs without it. "
      "linear: matrix products. attention: including keys and values of the context where they are copied. reduction: "
      "score, "
      "selection, "
      "gather, partial update. sampling: guidance, random numbers, bits. rest: norms, rotary embedding, activations, "
      "resizing of accumulated features.",
      kPromptsTimedByPart);
}

using Json = nlohmann::ordered_json;

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json spread_json(const Spread& spread) {
  if (spread.count == 0) return nullptr;
  return {{"count", spread.count},
          {"mean", spread.mean},
          {"deviation", spread.deviation},
          {"standard_error", spread.standard_error()},
          {"median", spread.median}};
}

Json passes_json(const VariantSummary& variant) {
  Json passes = Json::array();
  for (const ReducedPassRecord& pass : variant.passes) {
    passes.push_back({{"scale", pass.scale},
                      {"repetition", pass.repetition},
                      {"tokens", pass.tokens},
                      {"kept", pass.kept},
                      {"spatial_similarity", value_or_null(pass.spatial)},
                      {"temporal_similarity", value_or_null(pass.temporal)},
                      {"pruned_again", value_or_null(pass.pruned_again)}});
  }
  return passes;
}

Json variant_json(const VariantSummary& variant) {
  return {{"variant", variant.name},
          {"settings", variant.settings},
          {"prompts", variant.prompts},
          {"identical", variant.identical},
          {"tokens", variant.tokens},
          {"kept", variant.kept},
          {"work", variant.work},
          {"psnr", spread_json(variant.psnr)},
          {"psnr_pooled", value_or_null(variant.pooled_psnr)},
          {"ssim", variant.psnr.count > 0 ? Json(variant.ssim) : Json(nullptr)},
          {"psnr_above_random", spread_json(variant.from_random)},
          {"wins_over_random", variant.from_random.count > 0 ? Json(variant.wins) : Json(nullptr)},
          {"backbone_ms", variant.backbone_ms},
          {"end_to_end_ms", variant.end_to_end_ms},
          {"backbone_speedup", spread_json(variant.backbone_speedup)},
          {"end_to_end_speedup", spread_json(variant.end_to_end_speedup)},
          {"scale_ms", variant.scale_ms},
          {"flipped_bits", variant.flipped},
          {"part_ms", variant.part_ms.empty() ? Json(nullptr) : parts_json(variant.part_ms)},
          {"attributes_right", value_or_null(variant.right)},
          {"attributes_right_above_dense", spread_json(variant.right_from_dense)},
          {"given_psnr", spread_json(variant.given_psnr)},
          {"truth_psnr", spread_json(variant.truth_psnr)},
          {"truth_psnr_above_dense", spread_json(variant.truth_from_dense)},
          {"truth_psnr_above_random", spread_json(variant.truth_from_random)},
          {"passes", passes_json(variant)}};
}

std::string markdown_of(const StudyTable& table) {
  std::string text = fmt::format("| {} |\n|", fmt::join(table.head, " | "));
  for (size_t i = 0; i < table.head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : table.rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return text;
}

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>faststar study: token reduction</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1280px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.5em; }
table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
.table { overflow-x: auto; }
.note { color: #555; font-size: 13px; max-width: 75em; }
svg { display: block; max-width: 100%; height: auto; margin: 1.5em 0; font: 11px system-ui, sans-serif; }
svg text { paint-order: stroke; stroke: #fff; stroke-width: 3px; }
svg > text:first-child { font-size: 14px; font-weight: 600; }
.grid { stroke: #e4e4e4; }
.axis, .error { stroke: #444; }
.level { stroke: #888; stroke-dasharray: 5 4; }
@media print { body { margin: 0; max-width: none; } svg { break-inside: avoid; } .table { overflow: visible; }
               table { font-size: 8px; } }
</style>
</head>
<body>
)";

std::string cells(const std::vector<std::string>& texts, const char* element) {
  std::string row;
  for (const std::string& text : texts) row += fmt::format("<{0}>{1}</{0}>", element, html_escaped(text));
  return fmt::format("<tr>{}</tr>\n", row);
}

std::string table_element(const StudyTable& table) {
  std::string rows;
  for (const auto& row : table.rows) rows += cells(row, "td");
  return fmt::format("<div class=\"table\"><table>\n<thead>{}</thead>\n<tbody>\n{}</tbody>\n</table></div>\n",
                     cells(table.head, "th"), rows);
}

std::string note(const std::string& text) { return fmt::format("<p class=\"note\">{}</p>\n", html_escaped(text)); }

}  // namespace

std::string study_json(const StudySummary& study) {
  Json json = {{"setup", study.setup}, {"prompts", study.prompts}, {"scales", Json::array()}};
  for (const Scale& scale : study.scales) json["scales"].push_back({scale.t, scale.h, scale.w});
  json["high_frequency_share"] = study.high_frequency;
  json["variants"] = Json::array();
  for (const VariantSummary& variant : study.variants) json["variants"].push_back(variant_json(variant));
  return json_text(json, 1) + "\n";
}

std::string study_markdown(const StudySummary& study) {
  std::string text = fmt::format("{}\n{}\n", markdown_of(variant_table(study)), table_notes(study));
  const StudyTable parts = part_table(study);
  if (!parts.rows.empty()) text += fmt::format("\n{}\n{}\n", markdown_of(parts), part_notes());
  const StudyTable flips = flip_table(study);
  if (!flips.rows.empty()) text += fmt::format("\n{}\n{}\n", markdown_of(flips), kFlipNotes);
  return text;
}

std::string study_html(const StudySummary& study) {
  std::string page = kHead;
  page += fmt::format("<h1>Token reduction on {}</h1>\n", prompts_text(study));
  page += table_element(variant_table(study));
  page += note(table_notes(study));
  for (const Chart& chart : {pareto_plot(study), scorer_plot(study), norm_plot(study), last_ratio_plot(study),
                             overlap_plot(study), frequency_plot(study)}) {
    page += draw(chart);
  }
  page += draw(latency_plot(study));
  const StudyTable parts = part_table(study);
  if (!parts.rows.empty()) page += table_element(parts) + note(part_notes());
  const StudyTable flips = flip_table(study);
  if (!flips.rows.empty()) page += table_element(flips) + note(kFlipNotes);
  return page + "</body>\n</html>\n";
}

std::string write_study_report(const std::filesystem::path& folder) {
  const auto records = read_results(folder);
  if (records.empty()) {
    fail(ErrorKind::input, fmt::format("{}: no results of a study found", folder.string()));
  }
  const StudySummary study = summarize_study(records);
  write_file(folder / "study.json", study_json(study), Existing::replace);
  write_file(folder / "study.html", study_html(study), Existing::replace);
  return study_markdown(study);
}

}  // namespace faststar
