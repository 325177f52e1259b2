// How the program's OpenMP threads wait and how many there are. OpenMP prints its settings where OMP_DISPLAY_ENV asks.
#include <unistd.h>

#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

/// What OpenMP prints when the program starts with these variables.
std::string openmp_settings(const std::string& variables) {
  const test::TempDir folder;
  const test::Outcome outcome =
      test::run(folder, "--version",
                "-u OMP_WAIT_POLICY -u GOMP_SPINCOUNT -u KMP_BLOCKTIME OMP_DISPLAY_ENV=verbose " + variables);
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out.starts_with("faststar "));
  return outcome.error;
}

}  // namespace

TEST_CASE("idle threads sleep, unless the user chose how they wait", "[cli]") {
  CHECK_THAT(openmp_settings(""), ContainsSubstring("GOMP_SPINCOUNT = '0'"));
  CHECK_THAT(openmp_settings("OMP_WAIT_POLICY=active"), ContainsSubstring("OMP_WAIT_POLICY = 'ACTIVE'"));
  CHECK_THAT(openmp_settings("GOMP_SPINCOUNT=123"), ContainsSubstring("GOMP_SPINCOUNT = '123'"));
}

TEST_CASE("the program keeps its arguments, its variables and its name when it starts", "[cli]") {
  const test::TempDir folder;
  const test::Outcome plan = test::run(folder, "t2v -p 'a red  ball' --dry-run --random-weights --device cpu",
                                       "-u OMP_WAIT_POLICY FASTSTAR_SEED=77");
  CHECK(plan.exit_code == 0);
  CHECK(plan.error.find("seed 77") != std::string::npos);
  CHECK(plan.error.find("a red  ball") != std::string::npos);
}

// Two threads are enough to begin. The limit counts what the user runs already, and root has none: so root starts the
// program as nobody.
TEST_CASE("threads that cannot start are one line about the machine", "[cli]") {
  const test::TempDir folder;
  const std::string user = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
  if (std::system((user + "test -x " + test::program()).c_str()) != 0) {
    WARN("not run: the user nobody may not start " << test::program());
    return;
  }
  // Without the leak check of a build with sanitizers, which needs a thread of its own.
  const test::Outcome limited =
      test::run(folder, "completions bash",
                "ASAN_OPTIONS=detect_leaks=0 OMP_NUM_THREADS=4 " + user + "bash -c 'ulimit -u 2 && exec \"$@\"' bash");
  CHECK(limited.exit_code == 5);
  CHECK(limited.out.empty());
  CHECK(limited.error.starts_with("error: "));
  CHECK_THAT(limited.error, ContainsSubstring("ulimit -u"));
}

}  // namespace faststar
