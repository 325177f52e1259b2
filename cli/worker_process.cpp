#include "cli/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/error.h"

namespace faststar {
namespace {

/// Between fork and exec: only calls that are safe there. A process group of its own keeps Ctrl-C for the parent, which
/// passes it on once.
[[noreturn]] void become_worker(char* const* arguments, int messages, int dropped, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const bool orphaned = getppid() != parent;
  const bool connected = dup2(messages, STDERR_FILENO) >= 0 && (dropped < 0 || dup2(dropped, STDOUT_FILENO) >= 0);
  if (connected && !orphaned) execv("/proc/self/exe", arguments);
  _exit(127);
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& arguments, WorkerOutput output) {
  std::vector<char*> words = {const_cast<char*>("faststar")};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    fail(ErrorKind::internal, fmt::format("cannot start a process: {}", std::strerror(errno)));
  const int dropped = output == WorkerOutput::dropped ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) become_worker(words.data(), ends[1], dropped, parent);
  const int error = errno;
  close(ends[1]);
  if (dropped >= 0) close(dropped);
  pipe_ = ends[0];
  if (process_ < 0) {
    close(pipe_);
    fail(ErrorKind::internal, fmt::format("cannot start a process: {}", std::strerror(error)));
  }
}

WorkerProcess::~WorkerProcess() {
  if (pipe_ >= 0) close(pipe_);
  if (process_ < 0) return;
  send(SIGTERM);
  exit_code();
}

void WorkerProcess::read_messages(const std::function<void(const std::string&)>& on_line) {
  char block[4096];
  const ssize_t size = read(pipe_, block, sizeof(block));
  if (size < 0 && errno == EINTR) return;
  if (size <= 0) {
    close(pipe_);
    pipe_ = -1;
    // The last words of one that was killed.
    if (!unfinished_line_.empty()) on_line(std::exchange(unfinished_line_, {}));
    return;
  }
  unfinished_line_.append(block, static_cast<size_t>(size));
  for (size_t end; (end = unfinished_line_.find('\n')) != std::string::npos; unfinished_line_.erase(0, end + 1)) {
    on_line(unfinished_line_.substr(0, end));
  }
}

void WorkerProcess::send(int signal) const {
  if (process_ > 0) kill(process_, signal);  // -1, after its end, would mean every process
}

int WorkerProcess::exit_code() {
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  constexpr int kSignalled = 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

}  // namespace faststar
