#include "core/lab/study/plot_area.h"

#include <fmt/format.h>

#include <algorithm>

namespace faststar {
namespace {

constexpr double kBottomEdge = PlotArea::kHeight - PlotArea::kBottom;
constexpr double kRightEdge = PlotArea::kWidth - PlotArea::kRight;

}  // namespace

PlotArea::Span PlotArea::span_of(const std::vector<double>& values) {
  if (values.empty()) return {};
  constexpr double kRoom = 0.06;
  const auto [low, high] = std::ranges::minmax(values);
  const double room = high > low ? (high - low) * kRoom : 0.5;
  return {low - room, high + room};
}

svg::Place PlotArea::place(double x, double y) const {
  return {kLeft + (x - x_.low) / (x_.high - x_.low) * (kRightEdge - kLeft),
          kBottomEdge - (y - y_.low) / (y_.high - y_.low) * (kBottomEdge - kTop)};
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

std::string PlotArea::legend(const std::vector<std::string>& names) {
  constexpr double kLine = 20;
  std::string drawn;
  for (size_t i = 0; i < names.size(); ++i) {
    const double y = kTop + kLine * static_cast<double>(i);
    drawn += svg::box({kRightEdge + 16, y}, 12, 12, svg::colour(i));
    drawn += svg::text({kRightEdge + 34, y + 11}, names[i]);
  }
  return drawn;
}

}  // namespace faststar
