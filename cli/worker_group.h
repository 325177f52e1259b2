#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/progress/progress.h"
#include "cli/worker_process.h"

namespace faststar {

/// A process of several that do one job, and its device, which stands before its messages.
struct Worker {
  std::string device;
  std::unique_ptr<WorkerProcess> process;
};

/// Processes that are started from now on take one of `count` shares of the cores, unless OMP_NUM_THREADS is set: more
/// threads than cores wait for each other.
void share_cores(size_t count);

/// What happens to workers while they are watched.
struct WorkerEvents {
  std::function<void(Worker&, const std::string& line)> on_message;
  std::function<void(Worker&)> on_end = [](Worker&) {};  ///< it has nothing more to say
};

/// Passes on what a worker said, behind its device: warnings and errors as warnings, which --quiet lets through.
void relay(const Worker& worker, const std::string& line);

/// Reads what workers say until the last one has ended. Passes a stop signal on to them, once; a second one ends this
/// process, and with it the workers.
void watch_workers(std::vector<Worker>& workers, const WorkerEvents& events);

/// One progress for all workers. Each counts what the others finish too, so the one that is furthest knows best.
class JointProgress {
 public:
  JointProgress(ProgressStyle style, Stage stage) : display_(style), stage_(stage) { display_.plan(stage_, 1); }

  /// True when `line`, from the worker on `device`, was a progress event.
  bool take(const std::string& device, const std::string& line);

 private:
  ProgressDisplay display_;
  Stage stage_;
  double shown_ = 0;
};

}  // namespace faststar
