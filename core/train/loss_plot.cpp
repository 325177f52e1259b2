#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/train/train_log.h"

namespace faststar {
namespace {

constexpr double kWidth = 800, kHeight = 240, kMargin = 50;

struct Point {
  double step;
  double loss;
};

/// One stage's losses, in the order of the file.
struct Curve {
  std::string stage;
  std::vector<Point> points;
};

std::vector<Curve> read_curves(const std::filesystem::path& log) {
  std::vector<Curve> curves;
  std::ifstream stream(log);
  for (std::string line; std::getline(stream, line);) {
    const auto entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("stage") || !entry.contains("step") || !entry.contains("loss")) continue;
    if (!entry["loss"].is_number() || entry["loss"].get<double>() <= 0) continue;
    const auto stage = entry["stage"].get<std::string>();
    const auto found = std::find_if(curves.begin(), curves.end(), [&](const Curve& c) { return c.stage == stage; });
    Curve& curve = found == curves.end() ? curves.emplace_back(Curve{stage, {}}) : *found;
    curve.points.push_back({entry["step"].get<double>(), entry["loss"].get<double>()});
  }
  return curves;
}

/// A panel with a logarithmic loss axis.
std::string draw(const Curve& curve, double top) {
  const auto by_loss = [](const Point& a, const Point& b) { return a.loss < b.loss; };
  const double low = std::min_element(curve.points.begin(), curve.points.end(), by_loss)->loss;
  const double high = std::max_element(curve.points.begin(), curve.points.end(), by_loss)->loss;
  const double last = std::max(curve.points.back().step, 1.0);
  const double span = std::max(std::log(high / low), 1e-9);
  std::string line;
  for (const Point& point : curve.points) {
    line += fmt::format("{:.1f},{:.1f} ", kMargin + point.step / last * (kWidth - 2 * kMargin),
                        top + kMargin + std::log(high / point.loss) / span * (kHeight - 2 * kMargin));
  }
  std::string panel =
      fmt::format("<text x=\"{}\" y=\"{}\">{}, {:.0f} steps</text>\n", kMargin, top + kMargin / 2, curve.stage, last);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kMargin + 4, high);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kHeight - kMargin + 4, low);
  return panel + fmt::format("<polyline fill=\"none\" stroke=\"#1f5fa8\" points=\"{}\"/>\n", line);
}

}  // namespace

void plot_losses(const std::filesystem::path& log, const std::filesystem::path& svg) {
  const std::vector<Curve> curves = read_curves(log);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, kHeight * static_cast<double>(std::max<size_t>(curves.size(), 1)));
  for (size_t i = 0; i < curves.size(); ++i) text += draw(curves[i], kHeight * static_cast<double>(i));
  write_file(svg, text + "</svg>\n", Existing::replace);
}

}  // namespace faststar
