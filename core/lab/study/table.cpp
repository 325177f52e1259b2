#include "core/lab/study/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/lab/study/plots.h"
#include "core/lab/study/prompt_study.h"

namespace faststar {
namespace {

std::string with_error(const Spread& spread) {
  if (spread.count == 0) return "";
  if (spread.count == 1) return fmt::format("{:+.2f}", spread.mean);  // one value has no error
  return fmt::format("{:+.2f} ± {:.2f}", spread.mean, spread.standard_error());
}

std::string mean_text(const Spread& spread) { return spread.count == 0 ? "" : fmt::format("{:.2f}", spread.mean); }

std::string psnr_text(const ArmSummary& arm) {
  if (arm.psnr.count == 0) return arm.identical > 0 ? "identical" : "";
  const std::string text = arm.psnr.count == 1 ? fmt::format("{:.2f}", arm.psnr.mean)
                                               : fmt::format("{:.2f} ± {:.1f}", arm.psnr.mean, arm.psnr.deviation);
  return arm.identical == 0 ? text : fmt::format("{} ({} identical)", text, arm.identical);
}

std::vector<std::string> row_of(const ArmSummary& arm) {
  const bool compared = arm.psnr.count > 0;
  const bool is_random = arm.name == kRandomArm;
  return {arm.name,
          fmt::format("{}", arm.prompts),
          fmt::format("{:.1f}", 100 * arm.kept / static_cast<double>(std::max<int64_t>(arm.tokens, 1))),
          psnr_text(arm),
          compared ? fmt::format("{:.2f}", arm.psnr.median) : "",
          is_random ? "" : with_error(arm.from_random),
          is_random || arm.from_random.count == 0 ? "" : fmt::format("{:.2f}", arm.wins),
          arm.pooled_psnr ? fmt::format("{:.2f}", *arm.pooled_psnr) : "",
          compared ? fmt::format("{:.4f}", arm.ssim) : "",
          fmt::format("{:.0f}", arm.backbone_ms),
          mean_text(arm.backbone_speedup),
          mean_text(arm.end_to_end_speedup),
          arm.right ? fmt::format("{:.1f}", 100 * *arm.right) : "",
          mean_text(arm.given_psnr),
          mean_text(arm.truth_psnr),
          arm.name == kDenseArm ? "" : with_error(arm.truth_from_dense)};
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

StudyTable arm_table(const StudySummary& study) {
  StudyTable table{.head = {"variant", "prompts", "tokens %", "PSNR dB ± sd", "median", "vs random ± s.e.", "wins",
                            "pooled MSE dB", "SSIM", "backbone ms", "speed-up", "end to end", "right %",
                            "given: vs dense", "given: vs truth", "truth: minus dense ± s.e."},
                   .rows = {}};
  for (const ArmSummary& arm : study.arms) table.rows.push_back(row_of(arm));
  drop_empty_columns(table);
  return table;
}

std::string prompts_text(const StudySummary& study) {
  return fmt::format("{} {}", study.prompts, study.prompts == 1 ? "prompt" : "prompts");
}

std::string table_notes(const StudySummary& study) {
  const auto level = [&](const char* name) -> std::string {
    const ArmSummary* const arm = study.find(name);
    if (arm == nullptr) return "not measured";
    if (arm->psnr.count == 0) return "identical";
    return fmt::format("{:.2f} dB", arm->psnr.mean);
  };
  return fmt::format(
      "{}. PSNR and SSIM against the dense clip of the same seed, frames 1 and later; per prompt of the MSE "
      "pooled over its frames, then mean, standard deviation and median over prompts. vs random: the difference prompt "
      "by prompt. Noise floor (the reference operations): {}; another seed: {}. tokens: computed, of all passes. "
      "Passes that an arm cannot differ in are the dense run's, with their times. right: shows all that the caption "
      "says. given: with the first frame of the true clip.",
      prompts_text(study), level(kNoiseFloorArm), level(kOtherSeedArm));
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
      "Milliseconds of each scale of the video clips, all its repetitions; medians of at most {} prompts, the first, "
      "in runs of their own: marks between the parts slow a pass a little, and the speed-ups above are of runs "
      "without. "
      "linear: matrix products. attention: with the joining of keys and values. reduction: score, selection, "
      "gathering, partial update. sampling: guidance, random numbers, bits. rest: norms, rotation, activations, "
      "resizing of accumulated features.",
      kPromptsTimedByPart);
}

}  // namespace faststar
