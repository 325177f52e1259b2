#pragma once
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace faststar {

/// The arguments of a call of `faststar train`.
struct TrainCall {
  std::string config;               ///< name or file of the recipe
  std::string stage;                ///< of the recipe; empty: it has no stages
  std::optional<std::string> from;  ///< the model that a new run started with
  int processes = 1;
  std::map<std::string, std::string> settings;  ///< setting_texts
};

/// A line of the log about a stretch of steps: means since the entry before.
struct LogEntry {
  std::string phase;
  int64_t step = 0;  ///< steps done
  int64_t steps = 0;
  int processes = 1;  ///< that train together, each with a batch of its own
  double learning_rate = 0;
  double ms_per_step = 0;
  double gradient_norm = 0;
  double seconds = 0;  ///< of training, the phases before included
  std::vector<std::pair<std::string, double>> statistics;
};

/// The log of a run: one JSON object a line; a resumed run appends to the same file.
class TrainLog {
 public:
  /// Writes nothing: for all processes but the first.
  TrainLog() = default;
  /// Throws Error(output) when the file cannot be opened.
  explicit TrainLog(const std::filesystem::path& file);

  /// Writes what a call starts with: a line with the key "call". Throws as write.
  void begin(const TrainCall& call);

  /// Writes an entry, and a line for people on stderr. Throws Error(output) when the disk is full.
  void write(const LogEntry& entry);

 private:
  void append(const std::string& line);

  std::filesystem::path file_;
  std::ofstream stream_;
};

/// An entry of a log, as it is read back.
struct StepRecord {
  int64_t step = 0;  ///< steps done
  int processes = 1;
  double milliseconds = 0;  ///< a step, mean since the entry before
  double loss = 0;          ///< mean since the entry before
  double seconds = 0;       ///< of the network's training until then
};

/// One phase, as the log has it.
struct PhaseRecord {
  std::string name;
  std::vector<StepRecord> entries;  ///< at least one, in the order of the file
};

/// A log, read back.
struct TrainRecord {
  TrainCall call;                               ///< the first; without a config when the log has none
  std::map<std::string, std::string> settings;  ///< of the last call that has them
  std::vector<PhaseRecord> phases;
};

/// Reads a log; lines that are no entries, or have figures that are not finite, are skipped. Throws Error(input) when
/// the file cannot be read.
TrainRecord read_train_log(const std::filesystem::path& log);

/// Draws the losses of a log over the steps, a curve a phase, as SVG. Throws Error(output).
void plot_losses(const TrainRecord& record, const std::filesystem::path& svg);

}  // namespace faststar
