#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace faststar {

/// What the log says about a stretch of steps: means since the entry before.
struct LogEntry {
  std::string stage;
  int64_t step = 0;  ///< steps done
  int64_t steps = 0;
  int processes = 1;  ///< that train together, each with a batch of its own
  double learning_rate = 0;
  double ms_per_step = 0;
  double gradient_norm = 0;
  double seconds = 0;  ///< of training, the stages before included
  std::vector<std::pair<std::string, double>> statistics;
};

/// A run's record: one JSON object a line, appended, so that a resumed run goes on in the same file.
class TrainLog {
 public:
  /// Keeps and says nothing: for processes that train along.
  TrainLog() = default;
  /// Throws Error(output) when the file cannot be opened.
  explicit TrainLog(const std::filesystem::path& file);

  /// Writes an entry, and a line for people on stderr. Throws Error(output) when the disk is full.
  void write(const LogEntry& entry);

 private:
  std::filesystem::path file_;
  std::ofstream stream_;
};

/// Draws the losses of a log file over the steps, a curve a stage, as SVG. Lines that are no entries are skipped.
void plot_losses(const std::filesystem::path& log, const std::filesystem::path& svg);

}  // namespace faststar
