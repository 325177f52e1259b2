#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/config/config.h"

namespace faststar {

/// How far a run has got.
struct ProgressState {
  Stage stage = Stage::load;
  std::string detail;   ///< "scale 12/30"
  double fraction = 0;  ///< of the whole run's cost, 0 to 1
  double elapsed_s = 0;
  std::optional<double> eta_s;  ///< seconds left; none at the start
};

/// "0:41", "12:05", "1:02:03"
std::string clock_text(double seconds);

/// Where a display writes, and its clock; tests use their own.
struct ProgressOutput {
  std::function<void(const std::string&)> write;
  std::function<double()> seconds;  ///< any steady clock
  bool is_terminal = false;
  int columns = 80;
};

/// stderr.
ProgressOutput standard_progress_output();

/// The style of the settings; none with `quiet`.
inline ProgressStyle shown_style(const RuntimeConfig& runtime) {
  return runtime.quiet ? ProgressStyle::none : runtime.progress;
}

/// Shows the progress of a run, stages weighted by their cost. While a bar is shown, log lines are written above it.
/// Thread-safe.
class ProgressDisplay final : public Progress {
 public:
  explicit ProgressDisplay(const RuntimeConfig& runtime) : ProgressDisplay(shown_style(runtime)) {}
  explicit ProgressDisplay(ProgressStyle style, ProgressOutput output = standard_progress_output());
  ~ProgressDisplay() override;
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void plan(Stage stage, double cost) override;
  void restart() override;
  void advance(Stage stage, double cost, std::string_view detail) override;
  bool stop_requested() const override;

 private:
  struct Cost {
    double planned = 0;
    double done = 0;
  };
  void update_state(Stage stage, std::string_view detail);
  void show_bar();
  void show_plain();
  void log_above_bar(log::Level level, std::string_view line);

  std::mutex mutex_;
  ProgressStyle style_;
  ProgressOutput output_;
  log::Sink log_sink_;
  std::map<Stage, Cost> costs_;
  ProgressState state_;
  double start_;
  double shown_at_ = -1;  ///< seconds; negative: nothing shown yet
  double shown_fraction_ = 0;
  Stage shown_stage_ = Stage::load;
  std::string bar_;  ///< as shown on the terminal now
};

}  // namespace faststar
