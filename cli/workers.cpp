#include "cli/workers.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "cli/progress/process.h"
#include "core/base/json.h"
#include "core/base/launcher.h"
#include "core/base/log.h"

namespace faststar {
namespace {

constexpr std::string_view kWarning = "warning: ", kError = "error: ", kHint = "hint: ";
constexpr int kSignalled = 128;

/// Pointers to the texts, and a null pointer behind them, as execve takes them.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Between fork and exec: only calls that are safe there. A process group of its own keeps Ctrl-C for the parent, which
/// passes it on once.
[[noreturn]] void become_worker(char* const* arguments, char* const* environment, int messages, bool drop,
                                pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const bool orphaned = getppid() != parent;
  const bool connected = dup2(messages, STDERR_FILENO) >= 0 &&
                         (!drop || dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO) >= 0);
  if (connected && !orphaned) execve("/proc/self/exe", arguments, environment);
  _exit(127);
}

[[noreturn]] void fail_to_start(int error) {
  fail(ErrorKind::internal, fmt::format("cannot start a process: {}", std::strerror(error)));
}

/// A running worker, its stderr on a pipe. It gets SIGTERM when this process ends before it.
class WorkerProcess {
 public:
  explicit WorkerProcess(const WorkerCommand& command) {
    std::vector<std::string> arguments = command.arguments;
    arguments.push_back("--device=" + command.device);
    std::vector<std::string> environment = command.environment;  // the first of a name counts
    environment.push_back(fmt::format("{}=1", kWorkerVariable));
    for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
    const std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(environment);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) fail_to_start(errno);
    const pid_t parent = getpid();
    process_ = fork();
    if (process_ == 0) become_worker(argv.data(), envp.data(), ends[1], command.drops_output, parent);
    const int error = errno;
    close(ends[1]);
    pipe_ = ends[0];
    if (process_ >= 0) return;
    close(pipe_);
    fail_to_start(error);
  }
  ~WorkerProcess() {
    if (pipe_ >= 0) close(pipe_);
    if (process_ < 0) return;
    send(SIGTERM);
    wait_for_end();
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// To poll for messages; -1 after the last.
  int messages() const { return pipe_; }

  /// Reads what there is; calls `on_line` with each whole line, and closes the pipe at its end.
  template <typename OnLine>
  void read_messages(OnLine&& on_line) {
    char block[4096];
    const ssize_t size = read(pipe_, block, sizeof(block));
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) {
      close(pipe_);
      pipe_ = -1;
      if (!unfinished_line_.empty()) on_line(unfinished_line_);  // it was killed in the middle of a line
      return;
    }
    unfinished_line_.append(block, static_cast<size_t>(size));
    for (size_t end; (end = unfinished_line_.find('\n')) != std::string::npos; unfinished_line_.erase(0, end + 1)) {
      on_line(unfinished_line_.substr(0, end));
    }
  }

  /// Does nothing after the end.
  void send(int signal) const {
    if (process_ > 0) kill(process_, signal);  // -1 would mean every process
  }

  /// Its exit code. To be called once.
  int wait_for_end() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
  int pipe_ = -1;
  std::string unfinished_line_;
};

/// The processes of one job.
class WorkerGroup {
 public:
  WorkerGroup(const std::vector<WorkerCommand>& commands, ProgressStyle style, Stage stage, OnFailure on_failure)
      : commands_(commands), on_failure_(on_failure), progress_(style, stage) {
    ends_.all.resize(commands.size());
    for (const WorkerCommand& command : commands) processes_.push_back(std::make_unique<WorkerProcess>(command));
  }

  WorkerEnds watch() {
    while (true) {
      std::vector<pollfd> pipes;
      for (const auto& process : processes_) pipes.push_back({process->messages(), POLLIN, 0});
      if (std::ranges::all_of(pipes, [](const pollfd& pipe) { return pipe.fd < 0; })) return std::move(ends_);
      constexpr int kMilliseconds = 100;
      poll(pipes.data(), pipes.size(), kMilliseconds);
      for (size_t i = 0; i < pipes.size(); ++i) {
        if (pipes[i].revents == 0) continue;
        processes_[i]->read_messages([&](const std::string& line) { take_line(i, line); });
        if (processes_[i]->messages() < 0) take_end(i);
      }
      if (stop_requested() && !std::exchange(stopping_, true)) send_all(stop_signal());
      if (kill_at_ && std::chrono::steady_clock::now() >= *kill_at_) send_all(SIGKILL);
    }
  }

 private:
  void take_line(size_t i, const std::string& line) {
    WorkerEnd& end = ends_.all[i];
    const bool is_ended = on_failure_ == OnFailure::end_others && ends_.first_failure;
    const std::string name = commands_[i].voice == WorkerVoice::named ? commands_[i].device : "";
    // A process that is ended may still say where its work is.
    if (line.empty() || (is_ended && !line.starts_with(kWarning)) || progress_.take(name, line)) return;
    if (on_failure_ == OnFailure::end_others && line.starts_with(kError)) {
      end.error = line.substr(kError.size());
    } else if (on_failure_ == OnFailure::end_others && line.starts_with(kHint)) {
      end.hint = line.substr(kHint.size());
    } else if (commands_[i].voice != WorkerVoice::errors) {
      relay(name, line);
    }
  }

  void take_end(size_t i) {
    const int code = ends_.all[i].exit_code = processes_[i]->wait_for_end();
    const bool stopped = stop_requested() && code > kSignalled;
    if (code == 0 || stopped || ends_.first_failure) return;
    ends_.first_failure = i;
    if (on_failure_ == OnFailure::keep_others) return;
    // The first signal asks for an end after the current step, which waits for the lost process; the second one ends. A
    // process that is stopped hears them when it continues, and only one of them.
    for (const int signal : {SIGTERM, SIGTERM, SIGCONT, SIGTERM}) {
      send_all(signal);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    constexpr std::chrono::seconds kTimeToEnd{5};
    kill_at_ = std::chrono::steady_clock::now() + kTimeToEnd;
  }

  void send_all(int signal) const {
    for (const auto& process : processes_) process->send(signal);
  }

  const std::vector<WorkerCommand>& commands_;
  OnFailure on_failure_;
  JointProgress progress_;
  std::vector<std::unique_ptr<WorkerProcess>> processes_;
  WorkerEnds ends_;
  bool stopping_ = false;
  std::optional<std::chrono::steady_clock::time_point> kill_at_;
};

}  // namespace

std::string launched_gpu() {
  const auto rank = launched_process().local_rank;
  const size_t gpus = rank ? cuda::list_gpus().gpus.size() : 0;
  return gpus == 0 ? "" : fmt::format("cuda:{}", static_cast<size_t>(*rank) % gpus);
}

std::vector<std::string> given_words(const CLI::App& command, const std::set<std::string>& without) {
  std::vector<std::string> words = {"faststar", command.get_name()};
  for (const CLI::Option* option : command.get_options()) {
    const std::string flag = option->nonpositional() ? fmt::format("--{}", option->get_lnames().front()) : "";
    if (without.contains(flag)) continue;
    for (const std::string& value : option->results()) {
      words.push_back(flag.empty() ? value : fmt::format("{}={}", flag, value));
    }
  }
  if (command.get_option_no_throw("--progress") != nullptr) words.emplace_back("--progress=json");
  return words;
}

WorkerEnds run_workers(const std::vector<WorkerCommand>& commands, ProgressStyle style, Stage stage,
                       OnFailure on_failure) {
  // More threads than cores would wait for each other.
  const size_t threads = std::max<size_t>(1, static_cast<size_t>(at::get_num_threads()) / commands.size());
  setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), /*replace=*/0);
  return WorkerGroup(commands, style, stage, on_failure).watch();
}

void relay(const std::string& name, const std::string& line) {
  const std::string start = name.empty() ? "" : name + ": ";
  if (line.starts_with(kWarning)) return log::warn("{}{}", start, line.substr(kWarning.size()));
  if (line.starts_with(kError) || line.starts_with(kHint)) return log::warn("{}{}", start, line);
  log::info("{}{}", start, line);
}

bool JointProgress::take(const std::string& name, const std::string& line) {
  const auto event = parse_json(line);
  if (!event.is_object() || !event.contains("fraction") || !event.contains("detail")) return false;
  if (!event["fraction"].is_number() || !event["detail"].is_string()) return false;
  const double more = std::max(0.0, event["fraction"].get<double>() - shown_);
  shown_ += more;
  display_.advance(stage_, more, (name.empty() ? "" : name + ": ") + event["detail"].get<std::string>());
  return true;
}

}  // namespace faststar
