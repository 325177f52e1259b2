#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/progress/progress.h"

namespace CLI {
class App;
}

/// Several processes of this program that do one job, one per GPU of this host: what --devices starts.
namespace faststar {

/// The GPU of this process where a launcher started one process per GPU: "cuda:1" for local rank 1. Empty without a
/// launcher and without GPUs. Throws like launched_process.
std::string launched_gpu();

/// The words that `command` was parsed from, the program first, without the options `without`; and --progress=json, if
/// it shows progress.
std::vector<std::string> given_words(const CLI::App& command, const std::set<std::string>& without);

/// What is shown of what a process says: its lines under the name of its device, as they are, or its errors alone.
enum class WorkerVoice { named, plain, errors };

/// One process: this program with other arguments.
struct WorkerCommand {
  std::string device;                    ///< becomes its --device, and the start of its messages
  std::vector<std::string> arguments;    ///< the program comes first
  std::vector<std::string> environment;  ///< "NAME=value", besides the variables of this process
  bool drops_output = false;             ///< its stdout goes nowhere, instead of where ours goes
  WorkerVoice voice = WorkerVoice::named;
};

/// keep_others: the others do the work of one that fails. end_others: they cannot continue without it.
enum class OnFailure { keep_others, end_others };

/// How one process ended.
struct WorkerEnd {
  int exit_code = 0;  ///< 128 + N after signal N
  std::string error;  ///< its error and hint, when OnFailure::end_others holds them back
  std::string hint;
};

struct WorkerEnds {
  std::vector<WorkerEnd> all;           ///< one per command
  std::optional<size_t> first_failure;  ///< the cause, where others failed after it
};

/// Runs the processes until the last one has ended. They get equal shares of the cores, unless OMP_NUM_THREADS is set.
/// Shows one progress for all (`stage`) from the JSON lines that each prints with --progress json, and passes on what
/// else they say. A stop signal is passed on once; a second one ends this process and with it the workers. Workers that
/// have to end and do not, stopped ones too, are killed after some seconds.
WorkerEnds run_workers(const std::vector<WorkerCommand>& commands, ProgressStyle style, Stage stage,
                       OnFailure on_failure);

/// Logs a line of the worker `name`, with the name in front unless it is empty: warnings and errors as warnings, which
/// --quiet lets through.
void relay(const std::string& name, const std::string& line);

/// One progress display for all workers. Each counts what the others finish too, so the one that is furthest knows
/// best.
class JointProgress {
 public:
  JointProgress(ProgressStyle style, Stage stage) : display_(style), stage_(stage) { display_.plan(stage_, 1); }

  /// True when `line`, from the worker `name`, was a progress event.
  bool take(const std::string& name, const std::string& line);

 private:
  ProgressDisplay display_;
  Stage stage_;
  double shown_ = 0;
};

}  // namespace faststar
