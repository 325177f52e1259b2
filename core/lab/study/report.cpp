#include "core/lab/study/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/lab/study/page.h"
#include "core/lab/study/results.h"
#include "core/lab/study/tables.h"

namespace faststar {
namespace {

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

Json speedup_json(const Speedup& speedup) {
  if (speedup.count == 0) return nullptr;
  return {{"count", speedup.count}, {"mean", speedup.ratio}, {"standard_error", speedup.error}};
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
          {"backbone_speedup", speedup_json(variant.backbone_speedup)},
          {"end_to_end_speedup", speedup_json(variant.end_to_end_speedup)},
          {"scale_ms", variant.scale_ms},
          {"flipped_bits", variant.flipped},
          {"part_ms", variant.part_ms.empty() ? Json(nullptr) : parts_json(variant.part_ms)},
          {"attributes_right", variant.right.count > 0 ? Json(variant.right.mean) : Json(nullptr)},
          {"attributes_right_above_dense", spread_json(variant.right_from_dense)},
          {"given_psnr", spread_json(variant.given_psnr)},
          {"truth_psnr", spread_json(variant.truth_psnr)},
          {"truth_psnr_above_dense", spread_json(variant.truth_from_dense)},
          {"truth_psnr_above_random", spread_json(variant.truth_from_random)},
          {"continued_psnr", spread_json(variant.continued_psnr)},
          {"passes", passes_json(variant)}};
}

Json origin_json(const StudyOrigin& origin) {
  Json runs = Json::array();
  for (const StudyOrigin::Part& part : origin.parts) {
    Json run = to_json(part.run);
    run["results"] = part.results;
    runs.push_back(std::move(run));
  }
  return {{"runs", runs}, {"results_of_unknown_runs", origin.unknown}};
}

std::vector<std::string> row_of(const StudyTable& table, size_t row) {
  std::vector<std::string> cells;
  for (const TableColumn& column : table.columns) cells.push_back(column.cells[row]);
  return cells;
}

std::string markdown_of(const StudyTable& table) {
  std::string heads, rules, rows;
  for (const TableColumn& column : table.columns) {
    heads += fmt::format(" {} |", column.head);
    rules += "---|";
  }
  for (size_t row = 0; row < table.rows(); ++row) rows += fmt::format("| {} |\n", fmt::join(row_of(table, row), " | "));
  return fmt::format("|{}\n|{}\n{}\n{}\n", heads, rules, rows, table.notes);
}

/// A value of the header; commands as code.
std::string markdown_text(const OriginLine& line) {
  const char* const mark = line.name == "Command" ? "`" : "";
  return fmt::format("- {}: {}{}{}\n", line.name, mark, printable(line.text), mark);
}

}  // namespace

std::string study_json(const StudyReport& report) {
  const StudySummary& study = report.summary;
  Json json = {{"setup", study.setup},
               {"origin", origin_json(report.origin)},
               {"warnings", study_warnings(study)},
               {"prompts", study.prompts},
               {"scales", Json::array()}};
  for (const Scale& scale : study.scales) json["scales"].push_back({scale.t, scale.h, scale.w});
  json["high_frequency_share"] = study.high_frequency;
  json["variants"] = Json::array();
  for (const VariantSummary& variant : study.variants) json["variants"].push_back(variant_json(variant));
  return json_text(json, 1) + "\n";
}

std::string study_markdown(const StudyReport& report) {
  const StudySummary& study = report.summary;
  std::string text = fmt::format("# Token reduction on {}\n\n", prompts_text(study));
  for (const OriginLine& line : origin_lines(report.origin)) text += markdown_text(line);
  for (const std::string& warning : study_warnings(study)) text += fmt::format("\n> Warning: {}\n", warning);
  for (const StudyTable& table : {variant_table(study), part_table(study), flip_table(study)}) {
    if (table.rows() > 0) text += "\n" + markdown_of(table);
  }
  return text;
}

std::string write_study_report(const std::filesystem::path& folder) {
  const auto records = read_results(folder);
  if (records.empty()) {
    fail(ErrorKind::input, fmt::format("{}: no results of a study found", folder.string()));
  }
  const StudyReport report{
      .summary = summarize_study(records), .origin = read_origin(folder, records), .shown = shown_prompts(records)};
  write_file(folder / "study.json", study_json(report), Existing::replace);
  write_file(folder / "study.html", study_html(report), Existing::replace);
  return study_markdown(report);
}

}  // namespace faststar
