#include "cli/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace faststar {
namespace {

int percent(const ProgressState& state) { return static_cast<int>(state.fraction * 100); }

std::string eta_text(const ProgressState& state) { return state.eta_s ? clock_text(*state.eta_s) + " left" : ""; }

double rounded(double seconds) { return std::round(seconds * 10) / 10; }

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<int64_t>(std::lround(std::clamp(seconds, 0.0, 1e9)));
  const int64_t hours = total / 3600;
  if (hours == 0) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", hours, total / 60 % 60, total % 60);
}

std::string bar_line(const ProgressState& state, int columns) {
  constexpr int kBar = 30;
  const int filled = static_cast<int>(state.fraction * kBar);
  const std::string line =
      fmt::format("{:<6} [{}{}] {:>3} %  {:<12} {}", stage_name(state.stage), std::string(filled, '='),
                  std::string(kBar - filled, ' '), percent(state), eta_text(state), state.detail);
  return line.substr(0, static_cast<size_t>(std::max(columns - 1, 1)));
}

std::string plain_line(const ProgressState& state) {
  std::string line = fmt::format("{:>3} %  {}", percent(state), stage_name(state.stage));
  if (!state.detail.empty()) line += fmt::format(", {}", state.detail);
  line += fmt::format(", {} elapsed", clock_text(state.elapsed_s));
  return state.eta_s ? fmt::format("{}, {}", line, eta_text(state)) : line;
}

std::string json_line(const ProgressState& state) {
  nlohmann::ordered_json json;
  json["stage"] = stage_name(state.stage);
  json["detail"] = state.detail;
  json["fraction"] = std::round(state.fraction * 1e4) / 1e4;
  json["elapsed_s"] = rounded(state.elapsed_s);
  json["eta_s"] = state.eta_s ? nlohmann::ordered_json(rounded(*state.eta_s)) : nullptr;
  return json.dump();
}

}  // namespace faststar
