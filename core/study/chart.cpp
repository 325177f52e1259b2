#include "core/study/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/study/plot_area.h"

namespace faststar {
namespace {

/// Puts labels beside points where they do not cover each other.
class LabelPlacer {
 public:
  /// The label, or nothing where there is no room for it.
  std::string add(svg::Place point, const std::string& label) {
    constexpr double kLetter = 6.2, kLine = 12, kGap = 7;
    const double width = kLetter * static_cast<double>(label.size());
    const std::vector<svg::Place> corners = {{point.x + kGap, point.y - kLine / 2},
                                             {point.x - kGap - width, point.y - kLine / 2},
                                             {point.x - width / 2, point.y - kLine - kGap},
                                             {point.x - width / 2, point.y + kGap}};
    for (const svg::Place& corner : corners) {
      const Box box{corner.x, corner.y, width, kLine};
      const auto overlaps = [&](const Box& other) { return other.overlaps(box); };
      const bool fits = corner.x >= PlotArea::kLeft && corner.x + width <= PlotArea::kWidth - PlotArea::kRight;
      if (!fits || std::ranges::any_of(taken_, overlaps)) continue;
      taken_.push_back(box);
      return svg::text({corner.x, corner.y + kLine - 2}, label);
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
  for (const ChartLevel& level : chart.levels) ys.push_back(level.y);
  for (size_t i = 0; i < chart.x_names.size(); ++i) xs.push_back(static_cast<double>(i));
  return {PlotArea::span_of(xs), PlotArea::span_of(ys)};
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
  for (const ChartLevel& level : chart.levels) {
    const double y = area.place(0, level.y).y;
    drawn += svg::line({PlotArea::kLeft, y}, {PlotArea::kWidth - PlotArea::kRight, y}, "level");
    drawn += svg::text({PlotArea::kLeft + 6, y - 4}, level.name);
  }
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
  const PlotArea area({-0.5, std::max(0.5, static_cast<double>(names.size()) - 0.5)}, {0, highest > 0 ? highest : 1});
  std::string drawn = area.frame(chart.title, "", chart.y_label, names);
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
                          fmt::format("{}, {}: {:.3g}", bars[b].name, chart.part_names[part], bars[b].parts[part]));
        base = top;
      }
    }
  }
  if (names.empty()) drawn += svg::text({PlotArea::kLeft + 10, PlotArea::kTop + 20}, "no results for this plot");
  return svg::picture(PlotArea::kWidth, PlotArea::kHeight, drawn + PlotArea::legend(chart.part_names));
}

}  // namespace faststar
