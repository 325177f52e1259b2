#include "core/lab/study/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/lab/study/plots.h"
#include "core/lab/study/run_study.h"

namespace faststar {
namespace {

std::string with_error(const Spread& spread) {
  if (spread.count == 0) return "";
  if (spread.count == 1) return fmt::format("{:+.2f}", spread.mean);  // one value has no error
  return fmt::format("{:+.2f} ± {:.2f}", spread.mean, spread.standard_error());
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
  return {variant.name,
          fmt::format("{}", variant.prompts),
          fmt::format("{:.1f}", 100 * variant.kept / static_cast<double>(std::max<int64_t>(variant.tokens, 1))),
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
          mean_text(variant.given_psnr),
          mean_text(variant.truth_psnr),
          variant.name == kDenseVariant ? "" : with_error(variant.truth_from_dense)};
}

void drop_empty_columns(StudyTable& table) {
  for (size_t column = table.head.size(); column-- > 0;) {
    const auto is_empty = [&](const std::vector<std::string>& row) { return row[column].empty(); };
    if (!std::ranges::all_of(table.rows, is_empty)) continue;
    table.head.erase(table.head.begin() + static_cast<int64_t>(column));
    for (auto& row : table.rows) row.erase(row.begin() + static_cast<int64_t>(column));
  }
}

}  // namespace

StudyTable variant_table(const StudySummary& study) {
  StudyTable table{.head = {"variant", "prompts", "tokens %", "PSNR dB ± sd", "median", "vs random ± s.e.", "wins",
                            "pooled MSE dB", "SSIM", "backbone ms", "speed-up", "end to end", "right %",
                            "given: vs dense", "given: vs truth", "truth: minus dense ± s.e."},
                   .rows = {}};
  for (const VariantSummary& variant : study.variants) table.rows.push_back(row_of(variant));
  drop_empty_columns(table);
  return table;
}

std::string prompts_text(const StudySummary& study) {
  return fmt::format("{} {}", study.prompts, study.prompts == 1 ? "prompt" : "prompts");
}

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
      "per prompt. Noise floor (reference operations): {}; another seed: {}. tokens: computed, of all passes. Passes "
      "before the first reduced scale are taken from the dense run, with their times. right: clips with every "
      "attribute "
      "of the caption right. given: generated with the first frame of the true clip.",
      prompts_text(study), level(kNoiseFloorVariant), level(kOtherSeedVariant));
}

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

std::string part_notes() {
  return fmt::format(
      "Milliseconds of each scale of the video clips, all repetitions; medians over the first {} prompts at most, from "
      "separate runs: timing the parts slows a pass a little, so the speed-ups above are from runs without it. "
      "linear: matrix products. attention: including the concatenation of keys and values. reduction: score, "
      "selection, "
      "gather, partial update. sampling: guidance, random numbers, bits. rest: norms, rotary embedding, activations, "
      "resizing of accumulated features.",
      kPromptsTimedByPart);
}

}  // namespace faststar
