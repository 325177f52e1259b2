#include "core/lab/study/chart.h"

#include <cmath>
#include <regex>

#include "support/support.h"

namespace faststar {
namespace {

/// Of the boxes that have a note, top and height in pixels.
std::vector<std::pair<double, double>> noted_boxes(const std::string& drawing) {
  static const std::regex box("<rect x=\"[^\"]*\" y=\"([^\"]*)\" width=\"[^\"]*\" height=\"([^\"]*)\"[^>]*><title>");
  std::vector<std::pair<double, double>> boxes;
  for (std::sregex_iterator found(drawing.begin(), drawing.end(), box), end; found != end; ++found) {
    boxes.emplace_back(std::stod((*found)[1]), std::stod((*found)[2]));
  }
  return boxes;
}

TEST_CASE("a level far from the points is said in words and squeezes nothing", "[study]") {
  Chart chart{.series = {{"a", {{1, 30}, {2, 34}}}}, .levels = {{"noise floor", 33}}};
  CHECK(draw(chart).find("class=\"level\"") != std::string::npos);
  chart.levels[0].y = 45;
  const std::string drawn = draw(chart);
  CHECK(drawn.find("noise floor (above): 45") != std::string::npos);
  CHECK(drawn.find("class=\"level\"") == std::string::npos);
}

TEST_CASE("values so large that a step of the axis changes nothing are drawn, too", "[study]") {
  const double value = GENERATE(1e17, -1e17, 1e300, HUGE_VAL);
  const std::string drawn = draw(Chart{.series = {{"a", {{value, 30}, {value, 34}}}}});
  CHECK(drawn.ends_with("</svg>\n"));
  CHECK(drawn.size() < 20'000);
}

TEST_CASE("the parts of a bar lie on each other, each as high as its value", "[study]") {
  const BarChart chart{.part_names = {"linear", "attention"}, .groups = {{"8x13", {{"dense", {10, 30}}}}}};
  const std::string drawn = draw(chart);
  const auto boxes = noted_boxes(drawn);
  REQUIRE(boxes.size() == 2);
  CHECK(boxes[1].second == Approx(3 * boxes[0].second).margin(.2));
  CHECK(boxes[1].first + boxes[1].second == Approx(boxes[0].first).margin(.2));
  CHECK(drawn.find("dense, attention: 30") != std::string::npos);
}

}  // namespace
}  // namespace faststar
