#include "core/lab/study/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/lab/study/plot_area.h"

namespace faststar {
namespace {

/// Puts labels beside points where they cover neither each other nor a point or line.
class LabelPlacer {
 public:
  void avoid(svg::Place dot) { take(dot, svg::kDotRadius); }

  void avoid(svg::Place from, svg::Place to) {
    constexpr double kStep = 4;
    const int steps = 1 + static_cast<int>(std::hypot(to.x - from.x, to.y - from.y) / kStep);
    for (int i = 0; i <= steps; ++i) {
      const double along = static_cast<double>(i) / steps;
      take({from.x + (to.x - from.x) * along, from.y + (to.y - from.y) * along}, 1);
    }
  }

  /// The label, or nothing where there is no room for it.
  std::string add(svg::Place point, const std::string& label) {
    constexpr double kLetter = 6.2, kLine = 12, kGap = 7;
    const double width = kLetter * static_cast<double>(label.size());
    const double right = point.x + kGap, left = point.x - kGap, above = point.y - kLine - 2, below = point.y + 2;
    const double beside = point.y - kLine / 2;
    using svg::Anchor;
    const std::vector<std::pair<svg::Place, Anchor>> spots = {
        {{right, beside}, Anchor::start},          {{left, beside}, Anchor::end},
        {{right, above}, Anchor::start},           {{left, above}, Anchor::end},
        {{right, below}, Anchor::start},           {{left, below}, Anchor::end},
        {{point.x, above - kGap}, Anchor::middle}, {{point.x, below + kGap}, Anchor::middle}};
    for (const auto& [spot, anchor] : spots) {
      const double start = spot.x - width * static_cast<double>(anchor) / 2;  // of the width 0, a half, all
      const Box box{start, spot.y, width, kLine};
      const auto overlaps = [&](const Box& other) { return other.overlaps(box); };
      const bool fits = start >= PlotArea::kLeft && start + width <= PlotArea::kWidth - PlotArea::kRight;
      if (!fits || std::ranges::any_of(taken_, overlaps)) continue;
      taken_.push_back(box);
      return svg::text({spot.x, spot.y + kLine - 2}, label, anchor);
    }
    return "";
  }

 private:
  struct Box {
    double x, y, width, height;
    bool overlaps(const Box& other) const {
      return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
    }
  };
  void take(svg::Place middle, double radius) {
    taken_.push_back({middle.x - radius, middle.y - radius, 2 * radius, 2 * radius});
  }
  std::vector<Box> taken_;
};

PlotArea area_of(const Chart& chart) {
  std::vector<double> xs, ys;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      xs.push_back(point.x);
      ys.push_back(point.y - point.error);
      ys.push_back(point.y + point.error);
    }
  }
  for (size_t i = 0; i < chart.x_names.size(); ++i) xs.push_back(static_cast<double>(i));
  return {PlotArea::span_of(xs), PlotArea::span_of(ys)};
}

/// A level outside of the plot is words at its edge: a line far away would squeeze the points.
std::string draw_level(const ChartLevel& level, const PlotArea& area) {
  constexpr double kTopEdge = PlotArea::kTop, kBottomEdge = PlotArea::kHeight - PlotArea::kBottom;
  const double y = area.place(0, level.y).y;
  const double left = PlotArea::kLeft + 6;
  if (y < kTopEdge) return svg::text({left, kTopEdge + 12}, fmt::format("{} (above): {:.4g}", level.name, level.y));
  if (y > kBottomEdge)
    return svg::text({left, kBottomEdge - 6}, fmt::format("{} (below): {:.4g}", level.name, level.y));
  return svg::line({PlotArea::kLeft, y}, {PlotArea::kWidth - PlotArea::kRight, y}, "level") +
         svg::text({left, y - 4}, level.name);
}

void keep_clear(const Chart& chart, const ChartSeries& series, const PlotArea& area, LabelPlacer& labels) {
  std::optional<svg::Place> before;
  for (const ChartPoint& point : series.points) {
    const svg::Place place = area.place(point.x, point.y);
    labels.avoid(place);
    if (point.error > 0) {
      labels.avoid(area.place(point.x, point.y - point.error), area.place(point.x, point.y + point.error));
    }
    if (chart.joined == Joined::yes && before) labels.avoid(*before, place);
    before = place;
  }
}

std::string draw_series(const Chart& chart, const ChartSeries& series, const std::string& colour, const PlotArea& area,
                        LabelPlacer& labels) {
  std::string drawn;
  std::vector<svg::Place> places;
  for (const ChartPoint& point : series.points) {
    const svg::Place place = places.emplace_back(area.place(point.x, point.y));
    if (point.error > 0) {
      drawn +=
          svg::line(area.place(point.x, point.y - point.error), area.place(point.x, point.y + point.error), "error");
    }
    drawn +=
        svg::dot(place, colour,
                 fmt::format("{}: {:.3g}, {:.4g}", point.label.empty() ? series.name : point.label, point.x, point.y));
    if (!point.label.empty()) drawn += labels.add(place, point.label);
  }
  return chart.joined == Joined::yes ? svg::polyline(places, colour) + drawn : drawn;
}

}  // namespace

std::string draw(const Chart& chart) {
  const PlotArea area = area_of(chart);
  std::string drawn = area.frame(chart.title, chart.x_label, chart.y_label, chart.x_names);
  std::vector<std::string> names;
  LabelPlacer labels;
  for (const ChartLevel& level : chart.levels) drawn += draw_level(level, area);
  for (const ChartSeries& series : chart.series) keep_clear(chart, series, area, labels);
  for (size_t i = 0; i < chart.series.size(); ++i) {
    names.push_back(chart.series[i].name);
    drawn += draw_series(chart, chart.series[i], svg::colour(i), area, labels);
  }
  if (names.empty()) drawn += svg::text({PlotArea::kLeft + 10, PlotArea::kTop + 20}, "no results for this plot");
  return svg::picture(PlotArea::kWidth, PlotArea::kHeight, drawn + PlotArea::legend(names));
}

std::string draw(const BarChart& chart) {
  double highest = 0;
  std::vector<std::string> names;
  for (const BarChart::Group& group : chart.groups) {
    names.push_back(group.name);
    for (const BarChart::Bar& bar : group.bars) {
      highest = std::max(highest, std::accumulate(bar.parts.begin(), bar.parts.end(), 0.0));
    }
  }
  constexpr double kRoom = 1.04;  // above the highest bar
  const PlotArea area({-0.5, std::max(0.5, static_cast<double>(names.size()) - 0.5)},
                      {0, highest > 0 ? highest * kRoom : 1});
  std::string drawn = area.frame(chart.title, chart.x_label, chart.y_label, names);
  for (size_t g = 0; g < chart.groups.size(); ++g) {
    const auto& bars = chart.groups[g].bars;
    const double width = 0.8 / static_cast<double>(std::max<size_t>(bars.size(), 1));
    for (size_t b = 0; b < bars.size(); ++b) {
      const double left = static_cast<double>(g) - 0.4 + width * static_cast<double>(b);
      double base = 0;
      for (size_t part = 0; part < bars[b].parts.size(); ++part) {
        const double top = base + bars[b].parts[part];
        const svg::Place corner = area.place(left, top), opposite = area.place(left + width * 0.92, base);
        drawn += svg::box(corner, opposite.x - corner.x, opposite.y - corner.y, svg::colour(part),
                          fmt::format("{}, {}: {:.4g}", bars[b].name, chart.part_names[part], bars[b].parts[part]));
        base = top;
      }
    }
  }
  if (names.empty()) drawn += svg::text({PlotArea::kLeft + 10, PlotArea::kTop + 20}, "no results for this plot");
  return svg::picture(PlotArea::kWidth, PlotArea::kHeight, drawn + PlotArea::legend(chart.part_names));
}

}  // namespace faststar
