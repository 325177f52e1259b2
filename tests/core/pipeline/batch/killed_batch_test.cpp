// Batches in processes of their own: killed at random moments, several at once.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/base/log.h"
#include "core/pipeline/batch/fake_batch.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::batch_in;
using test::FakeRunner;
using test::numbered_items;
using test::TempDir;

/// A process that runs the batch; its exit code is 0 when nothing was thrown.
pid_t start(const BatchRun& run) {
  const pid_t child = fork();
  if (child != 0) return child;
  log::set_sink([](log::Level, std::string_view) {});
  FakeRunner runner;
  runner.pause = std::chrono::milliseconds(3);
  try {
    test::run_quietly(run, runner);
  } catch (...) {
    _exit(1);
  }
  _exit(0);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// How often the manifest calls each item finished.
std::map<std::string, int> finished_counts(const BatchFolder& folder) {
  std::map<std::string, int> counts;
  std::istringstream lines(test::read_text(folder.manifest()));
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line);
    if (record["status"] == "finished") ++counts[record["file"]];
  }
  return counts;
}

/// Every video whole and recorded once, and nothing else in the folder.
void check_complete(const BatchRun& run) {
  const auto counts = finished_counts(run.folder);
  CHECK(counts.size() == run.items.size());
  for (const BatchItem& item : run.items) {
    CHECK(counts.at(item.file) == 1);
    CHECK(test::read_text(run.folder.video(item)) == FakeRunner::content(item));
  }
  const auto files_in = [](const fs::path& path) { return std::distance(fs::directory_iterator(path), {}); };
  CHECK(files_in(run.folder.videos()) == static_cast<std::ptrdiff_t>(run.items.size()));
  CHECK(files_in(run.folder.root() / "partial") == 1);  // the locks
}

}  // namespace

TEST_CASE("a batch killed twenty times completes with nothing missing, doubled or half-written", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(40));
  std::mt19937 random(7);
  int killed = 0;
  for (int i = 0; i < 20; ++i) {
    const pid_t child = start(run);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 15));
    kill(child, SIGKILL);
    if (wait_for(child) == -1) ++killed;
  }
  CHECK(killed > 5);
  FakeRunner runner;
  const BatchSummary rest = test::run_quietly(run, runner);
  CHECK(rest.found + rest.made == 40);
  check_complete(run);
}

TEST_CASE("three processes on one folder make every video once", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(30));
  const std::vector<pid_t> children = {start(run), start(run), start(run)};
  for (const pid_t child : children) CHECK(wait_for(child) == 0);
  check_complete(run);
}

TEST_CASE("what a killed process was making is taken over by one that waits for it", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(1));
  const pid_t child = fork();
  if (child == 0) {
    FakeRunner stuck;
    stuck.pause = std::chrono::hours(1);
    test::run_quietly(run, stuck);
    _exit(0);
  }
  while (!fs::exists(run.folder.partial_video(run.items[0]))) usleep(1000);
  std::thread end([child] {
    usleep(50'000);
    kill(child, SIGKILL);
  });
  FakeRunner runner;
  CHECK(test::run_quietly(run, runner).made == 1);
  end.join();
  wait_for(child);
  check_complete(run);
}

}  // namespace faststar
