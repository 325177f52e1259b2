#include "core/lab/study/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/config/reduction.h"

namespace faststar {
namespace {

constexpr const char* kPsnr = "PSNR against dense, dB";

std::string setting_of(const ArmSummary& arm, const std::string& key, std::string_view standard) {
  const auto found = arm.settings.find(key);
  return found == arm.settings.end() ? std::string(standard) : found->second;
}

ReductionTexts without(ReductionTexts settings, const std::string& key) {
  settings.erase(key);
  return settings;
}

/// The arms that differ from the one called faststar in the setting `key` at most.
std::vector<const ArmSummary*> neighbours(const StudySummary& study, const std::string& key) {
  std::vector<const ArmSummary*> arms;
  const ArmSummary* const middle = study.find(kFastStarArm);
  if (middle == nullptr) return arms;
  for (const ArmSummary& arm : study.arms) {
    if (arm.psnr.count > 0 && without(arm.settings, key) == without(middle->settings, key)) arms.push_back(&arm);
  }
  return arms;
}

ChartPoint point_of(double x, const ArmSummary& arm) {
  return {.x = x, .y = arm.psnr.mean, .error = arm.psnr.standard_error(), .label = arm.name};
}

/// Where rounding alone ends up.
std::vector<ChartLevel> noise_level(const StudySummary& study) {
  const ArmSummary* const arm = study.find(kNoiseFloorArm);
  if (arm == nullptr || arm->psnr.count == 0) return {};
  return {{kNoiseFloorArm, arm->psnr.mean}};
}

/// The random arm and those that score something else than the one called faststar.
std::vector<const ArmSummary*> scorers(const StudySummary& study) {
  std::vector<const ArmSummary*> arms = neighbours(study, "faststar.scorer");
  const ArmSummary* const random = study.find(kRandomArm);
  if (random != nullptr && random->psnr.count > 0) arms.insert(arms.begin(), random);
  return arms;
}

std::vector<double> ratios_of(const ArmSummary& arm) {
  const ReductionSettings standard;
  const auto json = nlohmann::json::parse(setting_of(arm, "ratios", ""), nullptr, /*allow_exceptions=*/false);
  return json.is_array() ? json.get<std::vector<double>>() : standard.ratios;
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

}  // namespace

Chart pareto_plot(const StudySummary& study) {
  Chart chart{.title = "Nearness to the dense clip against speed",
              .x_label = "speed-up of the backbone",
              .y_label = kPsnr,
              .levels = noise_level(study)};
  for (const ArmSummary& arm : study.arms) {
    if (arm.psnr.count == 0 || arm.settings.empty()) continue;
    const std::string method = setting_of(arm, "method", "none");
    auto series = std::ranges::find(chart.series, method, &ChartSeries::name);
    if (series == chart.series.end()) series = chart.series.insert(series, {.name = method});
    series->points.push_back({.x = arm.backbone_speedup.median, .y = arm.psnr.mean, .label = arm.name});
  }
  return chart;
}

Chart norm_plot(const StudySummary& study) {
  const std::string key = "faststar.p";
  const auto& names = Choices<NormDegree>::names;
  Chart chart{.title = "The norm that joins the distances",
              .x_label = "p",
              .y_label = kPsnr,
              .joined = Joined::yes,
              .x_names = {names.begin(), names.end()}};
  ChartSeries series{.name = kFastStarArm};
  for (size_t i = 0; i < names.size(); ++i) {
    for (const ArmSummary* arm : neighbours(study, key)) {
      if (setting_of(*arm, key, "2") == names[i]) series.points.push_back(point_of(static_cast<double>(i), *arm));
    }
  }
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

Chart last_ratio_plot(const StudySummary& study) {
  Chart chart{.title = "The ratio of the last scale",
              .x_label = "share of its tokens removed",
              .y_label = kPsnr,
              .joined = Joined::yes};
  const ArmSummary* const middle = study.find(kFastStarArm);
  if (middle == nullptr) return chart;
  ChartSeries series{.name = kFastStarArm};
  for (const ArmSummary* arm : neighbours(study, "ratios")) {
    const auto ratios = ratios_of(*arm);
    if (differ_in_last_only(ratios, ratios_of(*middle))) series.points.push_back(point_of(ratios.back(), *arm));
  }
  std::ranges::sort(series.points, {}, &ChartPoint::x);
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

Chart scorer_plot(const StudySummary& study) {
  Chart chart{.title = "What is scored, at equal tokens", .x_label = "", .y_label = kPsnr};
  ChartSeries series{.name = "mean ± s.e."};
  for (const ArmSummary* arm : scorers(study)) {
    ChartPoint point = point_of(static_cast<double>(series.points.size()), *arm);
    point.label.clear();
    series.points.push_back(point);
    chart.x_names.push_back(arm->name == kRandomArm ? kRandomArm : setting_of(*arm, "faststar.scorer", "both"));
  }
  if (!series.points.empty()) chart.series.push_back(std::move(series));
  return chart;
}

BarChart latency_plot(const StudySummary& study) {
  BarChart chart{.title = "Time of each scale of the video clips by part: left dense, right faststar",
                 .x_label = "scale, rows x columns of a latent frame",
                 .y_label = "ms, all repetitions",
                 .part_names = {"all parts"},
                 .groups = {}};
  const ArmSummary* const dense = study.find(kDenseArm);
  const ArmSummary* const reduced = study.find(kFastStarArm);
  if (dense == nullptr || reduced == nullptr) return chart;
  const bool by_part = !dense->part_ms.empty() && dense->part_ms.size() == reduced->part_ms.size();
  if (by_part) chart.part_names.assign(kPassPartNames.begin(), kPassPartNames.end());
  const auto bar = [&](const ArmSummary& arm, size_t scale) {
    if (!by_part) return BarChart::Bar{arm.name, {arm.scale_ms[scale]}};
    const auto& ms = arm.part_ms[scale].ms;
    return BarChart::Bar{arm.name, {ms.begin(), ms.end()}};
  };
  for (size_t scale = first_video_scale(study); scale < study.scales.size(); ++scale) {
    chart.groups.push_back({size_text(study.scales[scale]), {bar(*dense, scale), bar(*reduced, scale)}});
  }
  return chart;
}

Chart overlap_plot(const StudySummary& study) {
  Chart chart{.title = "Lock-in: pruned again",
              .x_label = "reduced pass: scale, repetition",
              .y_label = "share of what the reduced pass before pruned",
              .joined = Joined::yes};
  std::map<std::pair<int, int>, double> across;
  for (const ArmSummary* arm : scorers(study)) {
    for (const ReducedPassRecord& pass : arm->passes) {
      if (pass.pruned_again) across[{pass.scale, pass.repetition}] = 0;  // the first pass has none before it
    }
  }
  for (auto& [pass, x] : across) {
    x = static_cast<double>(chart.x_names.size());
    chart.x_names.push_back(fmt::format("({},{})", pass.first, pass.second));
  }
  for (const ArmSummary* arm : scorers(study)) {
    ChartSeries series{.name = arm->name};
    for (const ReducedPassRecord& pass : arm->passes) {
      if (pass.pruned_again) series.points.push_back({across[{pass.scale, pass.repetition}], *pass.pruned_again});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart frequency_plot(const StudySummary& study) {
  Chart chart{.title = "How the feature map converges, dense",
              .x_label = "scale",
              .y_label = "share of energy at high frequencies",
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

}  // namespace faststar
