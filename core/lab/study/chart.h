#pragma once
#include <string>
#include <vector>

namespace faststar {

struct ChartPoint {
  double x = 0;
  double y = 0;
  double error = 0;   ///< half the length of the error bar; 0: none
  std::string label;  ///< written beside the point; empty: none
  double x_error = 0;
};

struct ChartSeries {
  std::string name;  ///< in the legend
  std::vector<ChartPoint> points;
};

/// A value marked by a dashed line over the whole width, or by text at the edge when it is far from the points.
struct ChartLevel {
  std::string name;
  double y = 0;
};

enum class Joined { no, yes };

/// Points over two axes.
struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  Joined joined = Joined::no;        ///< a line through the points of a series
  std::vector<std::string> x_names;  ///< of x = 0, 1, ...; empty: numbers
  std::vector<ChartSeries> series;
  std::vector<ChartLevel> levels;
  std::vector<ChartPoint> frontier;  ///< joined by a dotted line behind the points; empty: none
};

/// True when there is something to compare: two points, joined ones in one series.
bool has_points_to_compare(const Chart& chart);

/// As SVG.
std::string draw(const Chart& chart);

/// `text` with the special characters of HTML and SVG escaped.
std::string html_escaped(const std::string& text);

/// Stacked bars, side by side in groups.
struct BarChart {
  struct Bar {
    std::string name;
    std::vector<double> parts;  ///< in the order of part_names
  };
  struct Group {
    std::string name;
    std::vector<Bar> bars;
  };
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<std::string> part_names;
  std::vector<Group> groups;
};

std::string draw(const BarChart& chart);

}  // namespace faststar
