#include "core/lab/study/tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/lab/study/plots.h"
#include "core/lab/study/run_study.h"

namespace faststar {
namespace {

constexpr double kPercent = 100;

std::string with_error(const Spread& spread) {
  if (spread.count == 0) return "";
  if (spread.count == 1) return fmt::format("{:+.2f}", spread.mean);  // one value has no error
  return fmt::format("{:+.2f} ± {:.2f}", spread.mean, spread.standard_error());
}

/// Of shares, in percentage points.
std::string percent_with_error(Spread spread) {
  spread.mean *= kPercent;
  spread.deviation *= kPercent;
  return with_error(spread);
}

std::string mean_text(const Spread& spread) { return spread.count == 0 ? "" : fmt::format("{:.2f}", spread.mean); }

std::string speedup_text(const VariantSummary& variant, const Speedup& speedup) {
  if (speedup.count == 0) return "";
  if (speedup.count == 1 || variant.name == kDenseVariant) return fmt::format("{:.2f}", speedup.ratio);
  return fmt::format("{:.2f} ± {:.2f}", speedup.ratio, speedup.error);
}

std::string psnr_text(const VariantSummary& variant) {
  if (variant.psnr.count == 0) return variant.identical > 0 ? "identical" : "";
  const std::string text = variant.psnr.count == 1
                               ? fmt::format("{:.2f}", variant.psnr.mean)
                               : fmt::format("{:.2f} ± {:.1f}", variant.psnr.mean, variant.psnr.deviation);
  return variant.identical == 0 ? text : fmt::format("{} ({} identical)", text, variant.identical);
}

/// Shown only of several prompts: of one they repeat its PSNR.
bool has_many(const VariantSummary& variant) { return variant.psnr.count > 1; }

/// A column of the table of variants: what a row shows; nothing where it has no data.
struct VariantColumn {
  const char* head;
  const char* note;
  std::function<std::string(const VariantSummary&)> text;
};

std::vector<VariantColumn> fidelity_columns() {
  return {{"PSNR dB ± sd",
           "PSNR: to the dense clip of the same seed, without frame 0, from the MSE over its frames; mean and standard "
           "deviation over prompts.",
           psnr_text},
          {"median", "median: of the PSNR.",
           [](const auto& variant) { return has_many(variant) ? fmt::format("{:.2f}", variant.psnr.median) : ""; }},
          {"vs random ± s.e.", "vs random: dB above the variant random, mean over prompts.",
           [](const auto& variant) { return variant.name == kRandomVariant ? "" : with_error(variant.from_random); }},
          {"wins", "wins: fraction of the prompts with a higher PSNR than random.",
           [](const auto& variant) {
             const bool compared = variant.name != kRandomVariant && variant.from_random.count > 0;
             return compared ? fmt::format("{:.2f}", variant.wins) : "";
           }},
          {"pooled MSE dB", "pooled MSE: PSNR of the mean MSE of all prompts.",
           [](const auto& variant) {
             return has_many(variant) && variant.pooled_psnr ? fmt::format("{:.2f}", *variant.pooled_psnr) : "";
           }},
          {"SSIM", "SSIM: to the dense clip, without frame 0.",
           [](const auto& variant) { return variant.psnr.count > 0 ? fmt::format("{:.4f}", variant.ssim) : ""; }},
          {"continued ± sd",
           "continued: PSNR of the later clips alone, where the first video clip is that of the dense run.",
           [](const auto& variant) {
             const Spread& psnr = variant.continued_psnr;
             return psnr.count > 1 ? fmt::format("{:.2f} ± {:.1f}", psnr.mean, psnr.deviation) : mean_text(psnr);
           }}};
}

std::vector<VariantColumn> speed_columns() {
  return {{"backbone ms", "backbone ms: all passes of the transformer for one clip, median over prompts.",
           [](const auto& variant) { return fmt::format("{:.0f}", variant.backbone_ms); }},
          {"speed-up ± s.e.",
           "speed-up: time of the dense backbone over that of the variant, prompt by prompt; geometric mean and its "
           "standard error.",
           [](const auto& variant) { return speedup_text(variant, variant.backbone_speedup); }},
          {"end to end ± s.e.", "end to end: the same with encoding the text and decoding the video.",
           [](const auto& variant) { return speedup_text(variant, variant.end_to_end_speedup); }}};
}

std::vector<VariantColumn> truth_columns() {
  return {
      {"correct %",
       "correct: clips with every attribute of the caption right, as a checker without learned parts sees it.",
       [](const auto& variant) {
         return variant.right.count > 0 ? fmt::format("{:.1f}", kPercent * variant.right.mean) : "";
       }},
      {"correct: minus dense ± s.e.", "correct, minus dense: in percentage points, prompt by prompt.",
       [](const auto& variant) {
         return variant.name == kDenseVariant ? "" : percent_with_error(variant.right_from_dense);
       }},
      {"given: vs dense",
       "given: generated with the first frame of the true clip; PSNR to the dense clip so generated.",
       [](const auto& variant) { return mean_text(variant.given_psnr); }},
      {"given: vs truth", "given, vs truth: PSNR of these clips to the true clip.",
       [](const auto& variant) { return mean_text(variant.truth_psnr); }},
      {"truth: minus dense ± s.e.", "truth, minus dense: dB nearer to the true clip than dense, prompt by prompt.",
       [](const auto& variant) { return variant.name == kDenseVariant ? "" : with_error(variant.truth_from_dense); }}};
}

std::vector<VariantColumn> variant_columns() {
  std::vector<VariantColumn> columns = {
      {"variant", "", [](const auto& variant) { return variant.name; }},
      {"prompts", "", [](const auto& variant) { return fmt::format("{}", variant.prompts); }},
      {"tokens %", "tokens: share of the tokens of all passes that are computed.",
       [](const auto& variant) {
         return fmt::format("{:.1f}",
                            kPercent * variant.kept / static_cast<double>(std::max<int64_t>(variant.tokens, 1)));
       }},
      {"work %", "work: guidance rows x computed tokens.",
       [](const auto& variant) { return fmt::format("{:.1f}", kPercent * variant.work); }}};
  for (auto& group : {fidelity_columns(), speed_columns(), truth_columns()}) {
    columns.insert(columns.end(), group.begin(), group.end());
  }
  return columns;
}

/// Leaves out columns without data, and gathers the notes of the others.
StudyTable with_notes(std::vector<TableColumn> columns, std::string notes) {
  std::erase_if(columns, [](const TableColumn& column) {
    return std::ranges::all_of(column.cells, [](const std::string& cell) { return cell.empty(); });
  });
  for (const TableColumn& column : columns) {
    if (!column.note.empty()) notes += (notes.empty() ? "" : " ") + column.note;
  }
  return {.columns = std::move(columns), .notes = std::move(notes)};
}

/// What the controls are, of those that ran.
std::string control_notes(const StudySummary& study) {
  std::string notes;
  if (study.find(kNoiseFloorVariant) != nullptr) {
    notes += fmt::format(" {}: dense with the reference operations, which shows the effect of rounding.",
                         kNoiseFloorVariant);
  }
  if (study.find(kOtherSeedVariant) != nullptr) {
    notes += fmt::format(" {}: dense with another seed, which shows how far apart two videos of a prompt are.",
                         kOtherSeedVariant);
  }
  return notes;
}

constexpr std::array<const char*, kLonePassParts> kPartNotes = {
    "linear: matrix products.", "attention: including keys and values of the context where they are copied.",
    "reduction: score, selection, gather, partial update.", "sampling: guidance, random numbers, bits.",
    "rest: norms, rotary embedding, activations, resizing of accumulated features."};

/// Empty in rows where a part took no time, so that a part that nobody has is left out.
TableColumn part_column(const BarChart& chart, size_t part) {
  TableColumn column{.head = chart.part_names[part], .note = kPartNotes[part]};
  bool has_data = false;
  for (const BarChart::Group& group : chart.groups) {
    for (const BarChart::Bar& bar : group.bars) {
      column.cells.push_back(fmt::format("{:.2f}", bar.parts[part]));
      has_data = has_data || bar.parts[part] > 0;
    }
  }
  if (!has_data) std::ranges::fill(column.cells, "");
  return column;
}

}  // namespace

std::string prompts_text(const StudySummary& study) {
  return fmt::format("{} {}", study.prompts, study.prompts == 1 ? "prompt" : "prompts");
}

StudyTable variant_table(const StudySummary& study) {
  std::vector<TableColumn> columns;
  for (const VariantColumn& shown : variant_columns()) {
    TableColumn& column = columns.emplace_back(TableColumn{.head = shown.head, .note = shown.note});
    for (const VariantSummary& variant : study.variants) column.cells.push_back(shown.text(variant));
  }
  return with_notes(std::move(columns),
                    fmt::format("{}. Passes before the first changed scale are taken from the dense run, with their "
                                "times.{}",
                                prompts_text(study), control_notes(study)));
}

StudyTable part_table(const StudySummary& study) {
  const BarChart chart = latency_plot(study);
  if (chart.part_names.size() == 1) return {};
  std::vector<TableColumn> columns = {{.head = "scale", .note = ""}, {.head = "variant", .note = ""}};
  TableColumn sum{.head = "all ms", .note = ""};
  for (const BarChart::Group& group : chart.groups) {
    for (const BarChart::Bar& bar : group.bars) {
      columns[0].cells.push_back(group.name);
      columns[1].cells.push_back(bar.name);
      sum.cells.push_back(fmt::format("{:.2f}", std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0)));
    }
  }
  for (size_t part = 0; part < chart.part_names.size(); ++part) columns.push_back(part_column(chart, part));
  columns.push_back(std::move(sum));
  return with_notes(
      std::move(columns),
      fmt::format("Milliseconds of each scale of the video clips, all repetitions; medians over the first {} "
                  "prompts at most, from separate runs: timing the parts slows a pass a little, so the "
                  "speed-ups above are from runs without it.",
                  kPromptsTimedByPart));
}

StudyTable flip_table(const StudySummary& study) {
  std::vector<TableColumn> columns = {{.head = "variant", .note = ""}};
  for (size_t scale = 0; scale < study.scales.size(); ++scale) {
    columns.push_back({.head = fmt::format("{}", scale), .note = ""});
  }
  for (const VariantSummary& variant : study.variants) {
    if (variant.flipped.empty()) continue;
    columns[0].cells.push_back(variant.name);
    for (size_t scale = 0; scale < study.scales.size(); ++scale) {
      columns[scale + 1].cells.push_back(
          scale < variant.flipped.size() ? fmt::format("{:.2f}", kPercent * variant.flipped[scale]) : "");
    }
  }
  return with_notes(
      std::move(columns),
      "Bits of each scale, in %, that other arithmetic draws otherwise than the dense run, when every pass "
      "reads the bits of the dense run.");
}

std::vector<std::string> study_warnings(const StudySummary& study) {
  const VariantSummary* const floor = study.find(kNoiseFloorVariant);
  if (floor == nullptr || floor->backbone_speedup.count == 0) return {};
  const double time = floor->backbone_speedup.time();
  const double difference = kPercent * std::abs(time - 1);
  if (difference <= kPercent * kBusyShare) return {};
  const std::string error = floor->backbone_speedup.count > 1
                                ? fmt::format(" ± {:.0f}", kPercent * floor->backbone_speedup.time_error())
                                : "";
  if (floor->identical == floor->prompts) {
    return {
        fmt::format("The machine was busy: the noise floor is the same computation as dense, but took {:.0f}{} % {}. "
                    "Speed-ups are no more certain than that.",
                    difference, error, time > 1 ? "longer" : "less time")};
  }
  return {
      fmt::format("The noise floor took {:.0f}{} % {} than dense. It is the same computation with the reference "
                  "operations: where these are as fast, the machine was busy, and speed-ups are no more certain than "
                  "that.",
                  difference, error, time > 1 ? "longer" : "less time")};
}

}  // namespace faststar
