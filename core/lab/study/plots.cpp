#include "core/lab/study/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/config/reduction.h"

namespace faststar {
namespace {

constexpr const char* kPsnr = "PSNR against dense, dB";

std::string setting_of(const VariantSummary& variant, const std::string& key, std::string_view standard) {
  const auto found = variant.settings.find(key);
  return found == variant.settings.end() ? std::string(standard) : found->second;
}

/// "faststar", "faststar with guidance reuse", "guidance reuse", "other precision".
std::string method_of(const VariantSummary& variant) {
  const std::string method = setting_of(variant, "method", "");
  if (variant.settings.contains("guidance_reuse")) {
    return method.empty() ? "guidance reuse" : method + " with guidance reuse";
  }
  if (!method.empty()) return method;
  return variant.settings.contains("precision") ? "other precision" : "fewer passes";
}

VariantTexts without(VariantTexts settings, const std::string& key) {
  settings.erase(key);
  return settings;
}

/// The variants that differ from "faststar" at most in the setting `key`.
std::vector<const VariantSummary*> neighbours(const StudySummary& study, const std::string& key) {
  std::vector<const VariantSummary*> variants;
  const VariantSummary* const middle = study.find(kFastStarVariant);
  if (middle == nullptr) return variants;
  for (const VariantSummary& variant : study.variants) {
    if (variant.psnr.count > 0 && without(variant.settings, key) == without(middle->settings, key))
      variants.push_back(&variant);
  }
  return variants;
}

ChartPoint point_of(double x, const VariantSummary& variant) {
  return {.x = x, .y = variant.psnr.mean, .error = variant.psnr.standard_error(), .label = variant.name};
}

/// PSNR of the noise floor.
std::vector<ChartLevel> noise_level(const StudySummary& study) {
  const VariantSummary* const variant = study.find(kNoiseFloorVariant);
  if (variant == nullptr || variant->psnr.count == 0) return {};
  return {{kNoiseFloorVariant, variant->psnr.mean}};
}

/// "random", and the variants that differ from "faststar" at most in the scorer.
std::vector<const VariantSummary*> scorers(const StudySummary& study) {
  std::vector<const VariantSummary*> variants = neighbours(study, "faststar.scorer");
  const VariantSummary* const random = study.find(kRandomVariant);
  if (random != nullptr && random->psnr.count > 0) variants.insert(variants.begin(), random);
  return variants;
}

std::vector<double> ratios_of(const VariantSummary& variant) {
  const ReductionSettings standard;
  const auto json = parse_json(setting_of(variant, "ratios", ""));
  const bool numbers =
      json.is_array() && std::ranges::all_of(json, [](const auto& ratio) { return ratio.is_number(); });
  return numbers ? json.get<std::vector<double>>() : standard.ratios;
}

bool differ_in_last_only(const std::vector<double>& a, const std::vector<double>& b) {
  return !a.empty() && a.size() == b.size() && std::equal(a.begin(), a.end() - 1, b.begin());
}

/// The scales of clip 1 and later.
size_t first_video_scale(const StudySummary& study) {
  const auto video = std::ranges::find_if(study.scales, [&](const Scale& scale) { return scale.t > 1; });
  return static_cast<size_t>(video - study.scales.begin());
}

std::string size_text(const Scale& scale) { return fmt::format("{}x{}", scale.h, scale.w); }

/// In percent of the dense run, as the table's speed-up says.
ChartPoint over_time(const VariantSummary& variant, double y, double error) {
  constexpr double kPercent = 100;
  return {.x = kPercent * variant.backbone_speedup.time(),
          .y = y,
          .error = error,
          .label = variant.name,
          .x_error = kPercent * variant.backbone_speedup.time_error()};
}

/// The points of `chart` that no other one beats in both time and quality, from the fastest on.
std::vector<ChartPoint> frontier_of(const Chart& chart) {
  std::vector<ChartPoint> points;
  for (const ChartSeries& series : chart.series) {
    points.insert(points.end(), series.points.begin(), series.points.end());
  }
  std::ranges::sort(points,
                    [](const ChartPoint& a, const ChartPoint& b) { return a.x < b.x || (a.x == b.x && a.y > b.y); });
  std::vector<ChartPoint> frontier;
  for (const ChartPoint& point : points) {
    if (frontier.empty() || point.y > frontier.back().y) frontier.push_back(point);
  }
  return frontier;
}

constexpr const char* kTimeLabel = "time of the backbone, % of dense (100 / speed-up)";

void add_to_series(Chart& chart, const std::string& name, ChartPoint point) {
  auto series = std::ranges::find(chart.series, name, &ChartSeries::name);
  if (series == chart.series.end()) series = chart.series.insert(series, {.name = name, .points = {}});
  series->points.push_back(std::move(point));
}

/// A control has no settings.
bool is_method(const VariantSummary& variant) { return !variant.settings.empty(); }

Chart psnr_frontier(const StudySummary& study) {
  Chart chart{.title = "Frontier: PSNR to the dense clip against time (dotted: beaten by none in both)",
              .x_label = kTimeLabel,
              .y_label = kPsnr,
              .levels = noise_level(study)};
  for (const VariantSummary& variant : study.variants) {
    if (variant.psnr.count == 0 || variant.backbone_speedup.count == 0 || !is_method(variant)) continue;
    add_to_series(chart, method_of(variant), over_time(variant, variant.psnr.mean, variant.psnr.standard_error()));
  }
  chart.frontier = frontier_of(chart);
  return chart;
}

Chart correct_frontier(const StudySummary& study) {
  constexpr double kPercent = 100;
  Chart chart{.title = "Frontier: correct prompts against time (dotted: beaten by none in both)",
              .x_label = kTimeLabel,
              .y_label = "correct prompts, %"};
  for (const VariantSummary& variant : study.variants) {
    const bool is_dense = variant.name == kDenseVariant;
    if (variant.right.count == 0 || variant.backbone_speedup.count == 0 || !(is_dense || is_method(variant))) continue;
    add_to_series(chart, is_dense ? kDenseVariant : method_of(variant),
                  over_time(variant, kPercent * variant.right.mean, kPercent * variant.right.standard_error()));
  }
  chart.frontier = frontier_of(chart);
  return chart;
}

Chart norm_plot(const StudySummary& study) {
  const std::string key = "faststar.p";
  const auto& names = kChoiceNames<NormDegree>;
  Chart chart{.title = "Norm that combines the distances",
              .x_label = "p",
              .y_label = kPsnr,
              .joined = Joined::yes,
              .x_names = {names.begin(), names.end()}};
  ChartSeries series{.name = kFastStarVariant};
  for (size_t i = 0; i < names.size(); ++i) {
    for (const VariantSummary* variant : neighbours(study, key)) {
      if (setting_of(*variant, key, "2") == names[i])
        series.points.push_back(point_of(static_cast<double>(i), *variant));
    }
  }
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

Chart last_ratio_plot(const StudySummary& study) {
  Chart chart{.title = "Ratio of the last scale",
              .x_label = "fraction of its tokens removed",
              .y_label = kPsnr,
              .joined = Joined::yes};
  const VariantSummary* const middle = study.find(kFastStarVariant);
  if (middle == nullptr) return chart;
  ChartSeries series{.name = kFastStarVariant};
  for (const VariantSummary* variant : neighbours(study, "ratios")) {
    const auto ratios = ratios_of(*variant);
    if (differ_in_last_only(ratios, ratios_of(*middle))) series.points.push_back(point_of(ratios.back(), *variant));
  }
  std::ranges::sort(series.points, {}, &ChartPoint::x);
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

Chart scorer_plot(const StudySummary& study) {
  Chart chart{.title = "Scorers at equal tokens", .x_label = "", .y_label = kPsnr};
  ChartSeries series{.name = "mean ± s.e."};
  for (const VariantSummary* variant : scorers(study)) {
    ChartPoint point = point_of(static_cast<double>(series.points.size()), *variant);
    point.label.clear();
    series.points.push_back(point);
    chart.x_names.push_back(variant->name == kRandomVariant ? kRandomVariant
                                                            : setting_of(*variant, "faststar.scorer", "both"));
  }
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

Chart overlap_plot(const StudySummary& study) {
  Chart chart{.title = "Lock-in: tokens pruned again",
              .x_label = "reduced pass: scale, repetition",
              .y_label = "fraction of previously pruned tokens",
              .joined = Joined::yes};
  std::map<std::pair<int, int>, double> across;
  for (const VariantSummary* variant : scorers(study)) {
    for (const ReducedPassRecord& pass : variant->passes) {
      if (pass.pruned_again) across[{pass.scale, pass.repetition}] = 0;  // the first pass has none before it
    }
  }
  for (auto& [pass, x] : across) {
    x = static_cast<double>(chart.x_names.size());
    chart.x_names.push_back(fmt::format("({},{})", pass.first, pass.second));
  }
  for (const VariantSummary* variant : scorers(study)) {
    ChartSeries series{.name = variant->name};
    for (const ReducedPassRecord& pass : variant->passes) {
      if (pass.pruned_again) series.points.push_back({across[{pass.scale, pass.repetition}], *pass.pruned_again});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart frequency_plot(const StudySummary& study) {
  Chart chart{.title = "High frequencies of the accumulated features, dense",
              .x_label = "scale",
              .y_label = "fraction of energy at high frequencies",
              .joined = Joined::yes};
  const size_t first_video = std::min(first_video_scale(study), study.high_frequency.size());
  ChartSeries image{.name = "image clip"}, video{.name = "video clips"};
  for (size_t i = 0; i < study.high_frequency.size(); ++i) {
    (i < first_video ? image : video).points.push_back({static_cast<double>(i), study.high_frequency[i]});
  }
  for (ChartSeries& series : {std::ref(image), std::ref(video)}) {
    if (!series.points.empty()) chart.series.push_back(series);
  }
  return chart;
}

}  // namespace

BarChart latency_plot(const StudySummary& study) {
  BarChart chart{.title = "Time of each scale of the video clips by part: left dense, right faststar",
                 .x_label = "scale, rows x columns of a latent frame",
                 .y_label = "ms, all repetitions",
                 .part_names = {"all parts"},
                 .groups = {}};
  const VariantSummary* const dense = study.find(kDenseVariant);
  const VariantSummary* const reduced = study.find(kFastStarVariant);
  if (dense == nullptr || reduced == nullptr) return chart;
  const bool by_part = !dense->part_ms.empty() && dense->part_ms.size() == reduced->part_ms.size();
  if (by_part) chart.part_names.assign(kPassPartNames.begin(), kPassPartNames.begin() + kLonePassParts);
  const auto bar = [&](const VariantSummary& variant, size_t scale) {
    if (!by_part) return BarChart::Bar{variant.name, {variant.scale_ms[scale]}};
    const auto& ms = variant.part_ms[scale].ms;
    return BarChart::Bar{variant.name, {ms.begin(), ms.begin() + kLonePassParts}};
  };
  for (size_t scale = first_video_scale(study); scale < study.scales.size(); ++scale) {
    chart.groups.push_back({size_text(study.scales[scale]), {bar(*dense, scale), bar(*reduced, scale)}});
  }
  return chart;
}

std::vector<Chart> study_plots(const StudySummary& study) {
  std::vector<Chart> charts = {psnr_frontier(study),   correct_frontier(study), scorer_plot(study),   norm_plot(study),
                               last_ratio_plot(study), overlap_plot(study),     frequency_plot(study)};
  std::erase_if(charts, [](const Chart& chart) { return !has_points_to_compare(chart); });
  return charts;
}

}  // namespace faststar
