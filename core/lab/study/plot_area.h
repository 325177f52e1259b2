#pragma once
#include <string>
#include <vector>

#include "core/lab/study/svg.h"

namespace faststar {

/// The rectangle that a chart plots into: values to pixels, and the axes around it.
class PlotArea {
 public:
  struct Span {
    double low = 0;
    double high = 1;
  };
  PlotArea(Span x, Span y) : x_(x), y_(y) {}

  static constexpr double kWidth = 960, kHeight = 420;
  static constexpr double kLeft = 70, kRight = 190, kTop = 40, kBottom = 60;

  svg::Place place(double x, double y) const;
  /// Title, grid, numbers and labels; `x_names` name x = 0, 1, ... in place of numbers.
  std::string frame(const std::string& title, const std::string& x_label, const std::string& y_label,
                    const std::vector<std::string>& x_names) const;
  /// A key to the colours, right of the plot.
  static std::string legend(const std::vector<std::string>& names);

  /// A span with some room around the values; of equal values, one around them.
  static Span span_of(const std::vector<double>& values);

 private:
  Span x_;
  Span y_;
};

}  // namespace faststar
