#include "core/lab/study/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

namespace faststar {
namespace {

/// The pieces that charts are drawn with, as SVG text. Lengths are pixels.
namespace svg {

enum class Anchor { start, middle, end };

struct Place {
  double x = 0;
  double y = 0;
};

constexpr double kDotRadius = 4;

constexpr std::array<const char*, 3> kAnchors = {"start", "middle", "end"};

std::string note_element(const std::string& note) {
  return note.empty() ? "" : fmt::format("<title>{}</title>", html_escaped(note));
}

std::string text(Place place, const std::string& words, Anchor anchor = Anchor::start) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", place.x, place.y,
                     kAnchors[static_cast<size_t>(anchor)], html_escaped(words));
}

/// Reads upwards; `place` is its middle.
std::string upright_text(Place place, const std::string& words) {
  return fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     place.x, place.y, html_escaped(words));
}

/// `css_class` names a rule of the page's style.
std::string line(Place from, Place to, const std::string& css_class) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", css_class,
                     from.x, from.y, to.x, to.y);
}

std::string polyline(const std::vector<Place>& places, const std::string& colour) {
  std::string points;
  for (const Place& place : places) points += fmt::format("{:.1f},{:.1f} ", place.x, place.y);
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\n", colour, points);
}

/// `note` is its tooltip.
std::string dot(Place place, const std::string& colour, const std::string& note) {
  return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\">{}</circle>\n", place.x, place.y,
                     kDotRadius, colour, note_element(note));
}

std::string box(Place corner, double width, double height, const std::string& colour, const std::string& note = "") {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\">{}</rect>\n",
                     corner.x, corner.y, width, height, colour, note_element(note));
}

std::string picture(double width, double height, const std::string& content) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\">\n{}"
      "</svg>\n",
      width, height, width, content);
}

/// Colours that the colour-blind can tell apart (Okabe and Ito 2008), repeated.
const std::string& colour(size_t number) {
  static const std::array<std::string, 8> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                     "#e69f00", "#56b4e9", "#555555", "#b8a800"};
  return colours[number % colours.size()];
}

/// About five round numbers in [low, high].
std::vector<double> ticks(double low, double high) {
  constexpr double kWanted = 5;
  const double rough = std::max(high - low, 1e-9) / kWanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : rough / power > 1 ? 2 : 1);
  std::vector<double> values;
  for (double value = std::ceil(low / step) * step; value <= high + step * 1e-6; value += step) {
    values.push_back(std::abs(value) < step * 1e-6 ? 0 : value);
  }
  return values;
}

}  // namespace svg

/// The rectangle that a chart is drawn in: maps values to pixels and draws the axes around it.
class PlotArea {
 public:
  struct Span {
    double low = 0;
    double high = 1;
  };
  PlotArea(Span x, Span y) : x_(x), y_(y) {}

  static constexpr double kWidth = 960, kHeight = 420;
  static constexpr double kLeft = 70, kTop = 40, kRightEdge = kWidth - 190, kBottomEdge = kHeight - 60;

  svg::Place place(double x, double y) const {
    return {kLeft + (x - x_.low) / (x_.high - x_.low) * (kRightEdge - kLeft),
            kBottomEdge - (y - y_.low) / (y_.high - y_.low) * (kBottomEdge - kTop)};
  }
  /// Title, grid, numbers and labels; `x_names` replace the numbers x = 0, 1, ...
  std::string frame(const std::string& title, const std::string& x_label, const std::string& y_label,
                    const std::vector<std::string>& x_names) const;

 private:
  Span x_;
  Span y_;
};

/// A span with some room around the values; of equal values, one around them. Never so narrow that numbers in it cannot
/// be told apart.
PlotArea::Span span_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  constexpr double kRoom = 0.06, kLeastShare = 1e-6;
  const auto [low, high] = std::ranges::minmax(values);
  const double least = kLeastShare * std::max(std::abs(low), std::abs(high));
  const double room = std::max(high > low ? (high - low) * kRoom : 0.5, least);
  return {low - room, high + room};
}

std::string PlotArea::frame(const std::string& title, const std::string& x_label, const std::string& y_label,
                            const std::vector<std::string>& x_names) const {
  std::string drawn = svg::text({kLeft, 22}, title);
  for (const double y : svg::ticks(y_.low, y_.high)) {
    const double height = place(x_.low, y).y;
    drawn += svg::line({kLeft, height}, {kRightEdge, height}, "grid");
    drawn += svg::text({kLeft - 8, height + 4}, fmt::format("{:g}", y), svg::Anchor::end);
  }
  for (size_t i = 0; i < x_names.size(); ++i) {
    drawn += svg::text({place(static_cast<double>(i), y_.low).x, kBottomEdge + 20}, x_names[i], svg::Anchor::middle);
  }
  for (const double x : x_names.empty() ? svg::ticks(x_.low, x_.high) : std::vector<double>()) {
    const double across = place(x, y_.low).x;
    drawn += svg::line({across, kTop}, {across, kBottomEdge}, "grid");
    drawn += svg::text({across, kBottomEdge + 20}, fmt::format("{:g}", x), svg::Anchor::middle);
  }
  drawn += svg::line({kLeft, kBottomEdge}, {kRightEdge, kBottomEdge}, "axis");
  drawn += svg::text({(kLeft + kRightEdge) / 2, kHeight - 16}, x_label, svg::Anchor::middle);
  return drawn + svg::upright_text({20, (kTop + kBottomEdge) / 2}, y_label);
}

/// The colours of a drawing, right of the plot.
std::string legend(const std::vector<std::string>& names) {
  constexpr double kLine = 20;
  std::string drawn;
  for (size_t i = 0; i < names.size(); ++i) {
    const double y = PlotArea::kTop + kLine * static_cast<double>(i);
    drawn += svg::box({PlotArea::kRightEdge + 16, y}, 12, 12, svg::colour(i));
    drawn += svg::text({PlotArea::kRightEdge + 34, y + 11}, names[i]);
  }
  return drawn;
}

/// Places labels beside points so that they cover neither each other nor a point or line.
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
      const bool fits = start >= PlotArea::kLeft && start + width <= PlotArea::kRightEdge;
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
      xs.push_back(point.x - point.x_error);
      xs.push_back(point.x + point.x_error);
      ys.push_back(point.y - point.error);
      ys.push_back(point.y + point.error);
    }
  }
  for (size_t i = 0; i < chart.x_names.size(); ++i) xs.push_back(static_cast<double>(i));
  return {span_of(xs), span_of(ys)};
}

/// A level outside of the plot is written at its edge: a line far away would squeeze the points.
std::string draw_level(const ChartLevel& level, const PlotArea& area) {
  const double y = area.place(0, level.y).y;
  const double left = PlotArea::kLeft + 6;
  if (y < PlotArea::kTop)
    return svg::text({left, PlotArea::kTop + 12}, fmt::format("{} (above): {:.4g}", level.name, level.y));
  if (y > PlotArea::kBottomEdge)
    return svg::text({left, PlotArea::kBottomEdge - 6}, fmt::format("{} (below): {:.4g}", level.name, level.y));
  return svg::line({PlotArea::kLeft, y}, {PlotArea::kRightEdge, y}, "level") + svg::text({left, y - 4}, level.name);
}

/// The error bars of a point.
std::string draw_errors(const ChartPoint& point, const PlotArea& area) {
  std::string drawn;
  if (point.error > 0) {
    drawn += svg::line(area.place(point.x, point.y - point.error), area.place(point.x, point.y + point.error), "error");
  }
  if (point.x_error > 0) {
    drawn +=
        svg::line(area.place(point.x - point.x_error, point.y), area.place(point.x + point.x_error, point.y), "error");
  }
  return drawn;
}

std::string draw_frontier(const Chart& chart, const PlotArea& area) {
  std::string drawn;
  for (size_t i = 1; i < chart.frontier.size(); ++i) {
    const ChartPoint &from = chart.frontier[i - 1], &to = chart.frontier[i];
    drawn += svg::line(area.place(from.x, from.y), area.place(to.x, to.y), "frontier");
  }
  return drawn;
}

void keep_clear(const Chart& chart, const ChartSeries& series, const PlotArea& area, LabelPlacer& labels) {
  std::optional<svg::Place> before;
  for (const ChartPoint& point : series.points) {
    const svg::Place place = area.place(point.x, point.y);
    labels.avoid(place);
    if (point.error > 0) {
      labels.avoid(area.place(point.x, point.y - point.error), area.place(point.x, point.y + point.error));
    }
    if (point.x_error > 0) {
      labels.avoid(area.place(point.x - point.x_error, point.y), area.place(point.x + point.x_error, point.y));
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
    drawn += draw_errors(point, area);
    drawn +=
        svg::dot(place, colour,
                 fmt::format("{}: {:.3g}, {:.4g}", point.label.empty() ? series.name : point.label, point.x, point.y));
    if (!point.label.empty()) drawn += labels.add(place, point.label);
  }
  return chart.joined == Joined::yes ? svg::polyline(places, colour) + drawn : drawn;
}

}  // namespace

std::string html_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out.append("&amp;"); break;
      case '<': out.append("&lt;"); break;
      case '>': out.append("&gt;"); break;
      case '"': out.append("&quot;"); break;
      default: out.push_back(c);
    }
  }
  return out;
}

bool has_points_to_compare(const Chart& chart) {
  size_t all = 0, most = 0;
  for (const ChartSeries& series : chart.series) {
    all += series.points.size();
    most = std::max(most, series.points.size());
  }
  return (chart.joined == Joined::yes ? most : all) >= 2;
}

std::string draw(const Chart& chart) {
  const PlotArea area = area_of(chart);
  std::string drawn = area.frame(chart.title, chart.x_label, chart.y_label, chart.x_names);
  std::vector<std::string> names;
  LabelPlacer labels;
  for (const ChartLevel& level : chart.levels) drawn += draw_level(level, area);
  drawn += draw_frontier(chart, area);
  for (const ChartSeries& series : chart.series) keep_clear(chart, series, area, labels);
  for (size_t i = 0; i < chart.series.size(); ++i) {
    names.push_back(chart.series[i].name);
    drawn += draw_series(chart, chart.series[i], svg::colour(i), area, labels);
  }
  return svg::picture(PlotArea::kWidth, PlotArea::kHeight, drawn + legend(names));
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
  return svg::picture(PlotArea::kWidth, PlotArea::kHeight, drawn + legend(chart.part_names));
}

}  // namespace faststar
