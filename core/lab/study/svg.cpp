#include "core/lab/study/svg.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace faststar::svg {
namespace {

constexpr std::array<const char*, 3> kAnchors = {"start", "middle", "end"};

std::string note_element(const std::string& note) {
  return note.empty() ? "" : fmt::format("<title>{}</title>", escaped(note));
}

}  // namespace

std::string escaped(const std::string& text) {
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

std::string text(Place place, const std::string& words, Anchor anchor) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", place.x, place.y,
                     kAnchors[static_cast<size_t>(anchor)], escaped(words));
}

std::string upright_text(Place place, const std::string& words) {
  return fmt::format("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                     place.x, place.y, escaped(words));
}

std::string line(Place from, Place to, const std::string& css_class) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", css_class,
                     from.x, from.y, to.x, to.y);
}

std::string polyline(const std::vector<Place>& places, const std::string& colour) {
  std::string points;
  for (const Place& place : places) points += fmt::format("{:.1f},{:.1f} ", place.x, place.y);
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\n", colour, points);
}

std::string dot(Place place, const std::string& colour, const std::string& note) {
  return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\">{}</circle>\n", place.x, place.y,
                     kDotRadius, colour, note_element(note));
}

std::string box(Place corner, double width, double height, const std::string& colour, const std::string& note) {
  return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\">{}</rect>\n",
                     corner.x, corner.y, width, height, colour, note_element(note));
}

std::string picture(double width, double height, const std::string& content) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\">\n{}"
      "</svg>\n",
      width, height, width, content);
}

const std::string& colour(size_t number) {
  static const std::array<std::string, 8> colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                     "#e69f00", "#56b4e9", "#555555", "#b8a800"};
  return colours[number % colours.size()];
}

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

}  // namespace faststar::svg
