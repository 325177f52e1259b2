#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "cli/progress_line.h"
#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/config/runtime.h"

namespace faststar {

/// Where a display writes and what time it is; tests put their own.
struct ProgressOutput {
  std::function<void(const std::string&)> write;
  std::function<double()> seconds;  ///< any steady clock
  bool is_terminal = false;
  int columns = 80;
};

/// stderr.
ProgressOutput standard_progress_output();

/// Shows a run's progress, stages weighted by their cost. While a bar stands on the terminal, log lines are
/// written above it. Callable from several threads.
class ProgressDisplay final : public Progress {
 public:
  explicit ProgressDisplay(ProgressStyle style, ProgressOutput output = standard_progress_output());
  ~ProgressDisplay() override;
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void plan(Stage stage, double cost) override;
  void advance(Stage stage, double cost, std::string_view detail) override;
  bool stop_requested() const override;

 private:
  struct Cost {
    double planned = 0;
    double done = 0;
  };
  void update_state(Stage stage, std::string_view detail);
  void show();
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
  std::string bar_;  ///< what stands on the terminal now
};

}  // namespace faststar
