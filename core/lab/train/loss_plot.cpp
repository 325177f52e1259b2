#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/base/atomic_file.h"
#include "core/lab/train/train_log.h"

namespace faststar {
namespace {

constexpr double kWidth = 800, kHeight = 240, kMargin = 50;

/// What a logarithmic axis can show of a stage.
std::vector<StepRecord> shown_steps(const StageRecord& stage) {
  std::vector<StepRecord> shown;
  std::ranges::copy_if(stage.entries, std::back_inserter(shown), [](const StepRecord& step) { return step.loss > 0; });
  return shown;
}

/// A panel with a logarithmic loss axis.
std::string draw(const std::string& stage, const std::vector<StepRecord>& steps, double top) {
  const auto [low, high] = std::ranges::minmax(steps, {}, &StepRecord::loss);
  const auto last = static_cast<double>(std::max<int64_t>(steps.back().step, 1));
  const double span = std::max(std::log(high.loss / low.loss), 1e-9);
  std::string line;
  for (const StepRecord& step : steps) {
    line += fmt::format("{:.1f},{:.1f} ", kMargin + static_cast<double>(step.step) / last * (kWidth - 2 * kMargin),
                        top + kMargin + std::log(high.loss / step.loss) / span * (kHeight - 2 * kMargin));
  }
  std::string panel =
      fmt::format("<text x=\"{}\" y=\"{}\">{}, {:.0f} steps</text>\n", kMargin, top + kMargin / 2, stage, last);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kMargin + 4, high.loss);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kHeight - kMargin + 4, low.loss);
  return panel + fmt::format("<polyline fill=\"none\" stroke=\"#1f5fa8\" points=\"{}\"/>\n", line);
}

}  // namespace

void plot_losses(const TrainRecord& record, const std::filesystem::path& svg) {
  std::string panels;
  double height = 0;
  for (const StageRecord& stage : record.stages) {
    const std::vector<StepRecord> steps = shown_steps(stage);
    if (steps.empty()) continue;
    panels += draw(stage.name, steps, height);
    height += kHeight;
  }
  const std::string head = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, std::max(height, kHeight));
  write_file(svg, head + panels + "</svg>\n", Existing::replace);
}

}  // namespace faststar
