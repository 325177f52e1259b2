#pragma once
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace faststar {

/// Where a worker's stdout goes.
enum class WorkerOutput { shared, dropped };

/// This program as another process, its stderr on a pipe. It gets SIGTERM when this process ends before it.
class WorkerProcess {
 public:
  /// Throws Error(internal) when no process can be started.
  WorkerProcess(const std::vector<std::string>& arguments, WorkerOutput output);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// To poll for messages; -1 after the last.
  int messages() const { return pipe_; }
  /// Reads what there is; calls `on_line` with each whole line, and closes the pipe at its end.
  void read_messages(const std::function<void(const std::string&)>& on_line);
  /// Does nothing once exit_code() was asked for.
  void send(int signal) const;
  /// Waits for its end. 128 + N after signal N. To be asked for once.
  int exit_code();

 private:
  pid_t process_ = -1;
  int pipe_ = -1;
  std::string unfinished_line_;
};

}  // namespace faststar
