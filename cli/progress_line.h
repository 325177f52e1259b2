#pragma once
#include <optional>
#include <string>

#include "core/base/progress.h"

namespace faststar {

/// How far a run is.
struct ProgressState {
  Stage stage = Stage::load;
  std::string detail;   ///< "scale 12/30"
  double fraction = 0;  ///< of the whole run's cost, 0 to 1
  double elapsed_s = 0;
  std::optional<double> eta_s;  ///< seconds left; none before there is anything to judge by
};

/// "0:41", "12:05", "1:02:03"
std::string clock_text(double seconds);

/// One line for a terminal of `columns`: stage, bar, percent, time left, detail. Never longer.
std::string bar_line(const ProgressState& state, int columns);

/// One line for a log.
std::string plain_line(const ProgressState& state);

/// One JSON object: {"stage","detail","fraction","elapsed_s","eta_s"|null}.
std::string json_line(const ProgressState& state);

}  // namespace faststar
