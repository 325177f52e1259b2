#include "cli/progress/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>
#include <thread>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

constexpr int kBug = 70;  // EX_SOFTWARE of sysexits.h

std::atomic<int> first_signal = 0;
std::atomic<bool> in_two_stages = false;

bool is_ignored(int signal) {
  struct sigaction action = {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// Tells the watching thread that a page of a file is lost. Nobody else sends it.
const int kPageLost = SIGRTMIN + 1;

/// Ends the program now: no destructor runs.
[[noreturn]] void end_at_once(int code) {
  if (const std::string words = log::parting_words(); !words.empty()) {
    std::fputs(log::line_text("warning", log::shown(words)).c_str(), stderr);
  }
  remove_temporary_paths();
  _exit(code);
}

/// A thread, not a handler: removing files is not allowed in a signal handler.
[[noreturn]] void watch(sigset_t signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == kPageLost) {
      end_at_once(exit_code(ErrorKind::model));  // only weights are mapped
    }
    int expected = 0;
    if (first_signal.compare_exchange_strong(expected, signal) && in_two_stages) {
      if (isatty(STDERR_FILENO) == 1) std::fputs("\n", stderr);  // behind the terminal's ^C, or the bar
      std::fputs(log::line_text("info", "stopping after this step; interrupt again to stop now").c_str(), stderr);
      continue;
    }
    end_at_once(stop_exit_code());
  }
}

/// The reason why stdout cannot be written any more; 0 while it can.
int stdout_error = 0;

/// A reader that has seen enough (`| head -1`) is no failure.
void print_bytes(const std::string& bytes) {
  if (stdout_error != 0) return;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  if (!written || std::fflush(stdout) != 0) stdout_error = errno;
}

/// Calls `on_line` for each line of /proc/self/maps; lines that are longer than any path are cut. Safe in a signal
/// handler.
template <typename OnLine>
void read_maps(OnLine&& on_line) {
  std::array<char, 8192> line;
  size_t size = 0;
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  for (char c; maps >= 0 && read(maps, &c, 1) == 1;) {
    if (c == '\n') {
      on_line(std::string_view(line.data(), std::exchange(size, 0)));
    } else if (size < line.size()) {
      line[size++] = c;
    }
  }
  if (maps >= 0) close(maps);
}

/// True when the range of a line of /proc/self/maps ("7f00-7f10 rw-p ... /a/file") holds `address`.
bool range_holds(std::string_view line, uintptr_t address) {
  uintptr_t begin = 0, end = 0;
  const char* const stop = line.data() + line.size();
  const char* const dash = std::from_chars(line.data(), stop, begin, 16).ptr;
  if (dash == stop || *dash != '-') return false;
  std::from_chars(dash + 1, stop, end, 16);
  return address >= begin && address < end;
}

void write_to_stderr(std::string_view text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

/// A mapped file has become shorter, or its disk is gone: says which, and has the watching thread end the program.
void report_lost_page(int, siginfo_t* info, void*) {
  write_to_stderr("error: ");
  read_maps([&](std::string_view line) {
    const size_t path = line.find('/');
    if (path == std::string_view::npos || !range_holds(line, reinterpret_cast<uintptr_t>(info->si_addr))) return;
    for (const char c : line.substr(path)) {
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      write_to_stderr(control ? "?" : std::string_view(&c, 1));
    }
    write_to_stderr(": ");
  });
  write_to_stderr("the file became shorter, or its disk failed, while it was read\nhint: copy it again\n");
  kill(getpid(), kPageLost);
  for (;;) pause();
}

/// Ends the program when its current folder was removed. Runs before libraries are initialised, where oneMKL would end
/// it with a line of its own: nothing but system calls, and none of a sanitizer's checks, which are not ready either.
__attribute__((no_sanitize("address", "undefined"))) void check_current_folder() {
  static char path[PATH_MAX];
  static constexpr char kGone[] = "error: the current folder does not exist any more\nhint: cd to another folder\n";
  if (syscall(SYS_getcwd, path, sizeof path) >= 0 || errno != ENOENT) return;
  syscall(SYS_write, STDERR_FILENO, kGone, sizeof kGone - 1);
  syscall(SYS_exit_group, 2);
}
[[gnu::used, gnu::section(".preinit_array")]] void (*first_check)() = check_current_folder;

}  // namespace

void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free one is the one that is closed.
    if (fcntl(descriptor, F_GETFD) < 0) open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

void use_json_messages() {
  if (std::getenv(kWorkerVariable) == nullptr) log::set_format(log::Format::json);
}

void print_result(const std::string& text) { print_bytes(printable_lines(text)); }

void print_path(const std::filesystem::path& path) {
  const std::string name = path.string();
  print_bytes((isatty(STDOUT_FILENO) == 1 ? printable(name) : name) + "\n");
}

int64_t peak_memory_bytes(int64_t device_bytes) {
  if (device_bytes > 0) return device_bytes;
  constexpr int64_t kKilobyte = 1024;
  rusage own{}, started{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &started);
  return std::max(own.ru_maxrss, started.ru_maxrss) * kKilobyte;
}

int end_code(int code) {
  if (stdout_error == 0 || stdout_error == EPIPE) return code;
  log::warn("stdout: cannot write: {}", std::strerror(stdout_error));
  return code == 0 ? exit_code(ErrorKind::output) : code;
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return 2;
    case ErrorKind::input: return 3;
    case ErrorKind::model: return 4;
    case ErrorKind::device:
    case ErrorKind::device_lost: return 5;
    case ErrorKind::output: return 6;
    case ErrorKind::interrupted: return stop_exit_code();
    case ErrorKind::internal: return kBug;
  }
  return kBug;
}

int report_current_error() {
  const Error error = current_error();
  std::fputs(log::line_text("error", log::shown(error.what()), log::shown(error.hint())).c_str(), stderr);
  return exit_code(error.kind());
}

void report_uncaught_errors() {
  std::set_terminate([] {
    int code = kBug;
    if (std::current_exception()) {
      code = report_current_error();
    } else {
      std::fputs(log::line_text("error", "terminated").c_str(), stderr);
    }
    end_at_once(code);
  });
}

void handle_signals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(signal)) sigaddset(&signals, signal);
  }
  sigaddset(&signals, kPageLost);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction lost_page = {};
  lost_page.sa_sigaction = report_lost_page;
  lost_page.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &lost_page, nullptr);
  std::thread(watch, signals).detach();
}

void stop_in_two_stages() { in_two_stages = true; }

bool stop_requested() { return first_signal != 0; }

int stop_signal() { return first_signal; }

int stop_exit_code() { return first_signal == SIGTERM || first_signal == SIGHUP ? 143 : 130; }

}  // namespace faststar
