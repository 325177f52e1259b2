#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "cli/progress/process.h"
#include "core/base/atomic_file.h"
#include "core/base/weights/mapped_file.h"
#include "support/support.h"

namespace faststar {
namespace {

void wait_for_stop() {
  while (!stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// Exit code of a child that gets `signal` once, sees the request, and with `second` gets it again.
int exit_code_of_child(int signal, const std::filesystem::path& unfinished, bool second) {
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr)) _exit(98);
    alarm(20);                  // a signal that is never seen ends the child
    ::signal(signal, SIG_DFL);  // whoever started the tests may have it ignored: nohup, a shell's background job
    const TemporaryPath file(unfinished);
    test::write_text(unfinished, "half");
    handle_signals();
    kill(getpid(), signal);
    wait_for_stop();
    if (second) {
      kill(getpid(), signal);
      std::this_thread::sleep_for(std::chrono::seconds(20));
      _exit(99);
    }
    _exit(stop_exit_code());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("the first signal asks, and its kind decides the exit code", "[cli]") {
  const test::TempDir folder;
  CHECK(exit_code_of_child(SIGINT, folder / "x.partial", false) == 130);
  CHECK(exit_code_of_child(SIGTERM, folder / "x.partial", false) == 143);
  CHECK(exit_code_of_child(SIGHUP, folder / "x.partial", false) == 143);
}

TEST_CASE("a signal that was ignored from the start stays so", "[cli]") {
  const pid_t child = fork();
  if (child == 0) {
    ::signal(SIGHUP, SIG_IGN);
    handle_signals();
    kill(getpid(), SIGHUP);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    _exit(stop_requested() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("the second signal ends at once and removes unfinished files", "[cli]") {
  const test::TempDir folder;
  CHECK(exit_code_of_child(SIGINT, folder / "x.partial", true) == 130);
  CHECK_FALSE(std::filesystem::exists(folder / "x.partial"));
}

TEST_CASE("a mapped file that becomes shorter ends the program with its name, and nothing is left", "[cli]") {
  const test::TempDir folder;
  test::write_text(folder / "w.bin", std::string(1 << 20, 'x'));
  const pid_t child = fork();
  if (child == 0) {
    if (!freopen((folder / "err").c_str(), "w", stderr)) _exit(98);
    alarm(20);
    const TemporaryPath file(folder / "x.partial");
    test::write_text(file.path(), "half");
    handle_signals();
    const MappedFile mapped(folder / "w.bin");
    const Tensor bytes = mapped.map(0, mapped.size());
    std::filesystem::resize_file(folder / "w.bin", 0);
    const volatile char last = static_cast<const char*>(bytes.const_data_ptr())[(1 << 20) - 1];
    _exit(static_cast<int>(last));
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 4));
  CHECK_THAT(test::read_text(folder / "err"),
             Catch::Matchers::StartsWith("error: " + (folder / "w.bin").string() + ": the file became shorter"));
  CHECK_FALSE(std::filesystem::exists(folder / "x.partial"));
}

}  // namespace faststar
