#include "core/pipeline/batch/run_batch.h"

#include <fstream>

#include "core/base/lock_file.h"
#include "core/pipeline/batch/fake_batch.h"
#include "support/stop_after.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::batch_in;
using test::CollectWarnings;
using test::error_of;
using test::FakeRunner;
using test::numbered_items;
using test::run_quietly;
using test::StopAfter;
using test::TempDir;

}  // namespace

TEST_CASE("a batch makes every video once, and the same command finds them", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(3));
  FakeRunner runner;
  std::vector<std::string> told;
  SilentProgress nobody;
  const BatchSummary summary = run_batch(run, runner, nobody, [&](const ItemResult& result) {
    CHECK(result.end == ItemEnd::made);
    told.push_back(result.item.file);
  });
  CHECK(summary.made == 3);
  CHECK(told == std::vector<std::string>{"0001-prompt-1-0.mp4", "0002-prompt-2-0.mp4", "0003-prompt-3-0.mp4"});
  CHECK(test::read_text(run.folder.video(run.items[1])) == FakeRunner::content(run.items[1]));
  const BatchSummary again = run_quietly(run, runner);
  CHECK(again.found == 3);
  CHECK(runner.made == 3);
}

TEST_CASE("a video that is gone or was cut short is made again", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(3));
  FakeRunner runner;
  run_quietly(run, runner);
  fs::remove(run.folder.video(run.items[0]));
  fs::resize_file(run.folder.video(run.items[2]), 3);
  CHECK(run_quietly(run, runner).made == 2);
  CHECK(test::read_text(run.folder.video(run.items[2])) == FakeRunner::content(run.items[2]));
}

TEST_CASE("a failing item is tried again after the others, as often as asked, and stops nothing", "[batch]") {
  const TempDir folder;
  const CollectWarnings warnings;
  const BatchRun run = batch_in(folder.path(), numbered_items(3), /*retries=*/2);
  FakeRunner runner;
  std::vector<std::string> order;
  runner.before = [&](const BatchItem& item) {
    order.push_back(item.prompt);
    if (item.prompt == "prompt 1") fail(ErrorKind::input, "no image");
  };
  const BatchSummary summary = run_quietly(run, runner);
  CHECK(order == std::vector<std::string>{"prompt 1", "prompt 2", "prompt 3", "prompt 1", "prompt 1"});
  REQUIRE(summary.failed.size() == 1);
  CHECK(summary.failed[0].error == "no image");
  CHECK(summary.made == 2);
  CHECK(warnings.lines().size() == 3);
  CHECK(run_quietly(run, runner).failed.size() == 1);  // a new run, new attempts
  CHECK(order.size() == 5 + 3);
}

TEST_CASE("an item that fails once is made at the second attempt", "[batch]") {
  const TempDir folder;
  const CollectWarnings warnings;
  const BatchRun run = batch_in(folder.path(), numbered_items(2), /*retries=*/1);
  FakeRunner runner;
  int attempts = 0;
  runner.before = [&](const BatchItem& item) {
    if (item.prompt == "prompt 2" && ++attempts == 1) fail(ErrorKind::device, "out of memory");
  };
  const BatchSummary summary = run_quietly(run, runner);
  CHECK(summary.failed.empty());
  CHECK(summary.made == 2);
}

TEST_CASE("an item with an impossible name never reaches the model", "[batch]") {
  const TempDir folder;
  const CollectWarnings warnings;
  std::vector<BatchItem> items = numbered_items(2);
  items[0].problem = "expected a prompt that can name a file";
  FakeRunner runner;
  const BatchSummary summary = run_quietly(batch_in(folder.path(), items, /*retries=*/3), runner);
  CHECK(summary.failed.at(0).error == "list:1: expected a prompt that can name a file");
  CHECK(warnings.lines().size() == 1);  // it is not tried again
  CHECK(runner.made == 1);
}

TEST_CASE("a full disk or a broken GPU ends the batch at once, fails no item, and what was made stays", "[batch]") {
  const ErrorKind kind = GENERATE(ErrorKind::output, ErrorKind::device_lost);
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(3), /*retries=*/5);
  FakeRunner runner;
  runner.before = [&](const BatchItem& item) {
    if (item.prompt == "prompt 2") fail(kind, "no more");
  };
  CHECK(error_of([&] { run_quietly(run, runner); }).kind() == kind);
  CHECK(runner.made == 1);
  CHECK(Manifest(run.folder.manifest()).find(run.items[1].file) == nullptr);
  CHECK(fs::exists(run.folder.video(run.items[0])));
}

TEST_CASE("a stop ends the batch after the current video, and progress tells its share", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(4));
  FakeRunner runner;
  StopAfter progress(3);
  const Error error = error_of([&] { run_batch(run, runner, progress, {}); });
  CHECK(error.kind() == ErrorKind::interrupted);
  CHECK(std::string(error.what()) == "stopped with 1 of 4 videos left");
  CHECK(progress.planned == 4);
  CHECK(progress.done == 3);
  CHECK(progress.last == "video 3/4, step");
  StopAfter rest(100);
  CHECK(run_batch(run, runner, rest, {}).made == 1);
  CHECK(rest.planned == 1);  // what is there costs nothing
}

TEST_CASE("what failed for good counts as done, and a second attempt does not count twice", "[batch]") {
  const TempDir folder;
  const CollectWarnings warnings;
  const BatchRun run = batch_in(folder.path(), numbered_items(2), /*retries=*/1);
  FakeRunner runner;
  runner.before = [](const BatchItem& item) {
    if (item.prompt == "prompt 1") fail(ErrorKind::input, "no image");
  };
  StopAfter progress(100);
  run_batch(run, runner, progress, {});
  CHECK(progress.planned == 2);
  CHECK(progress.done == 2);
}

TEST_CASE("an item that another process holds is left to it", "[batch]") {
  const TempDir folder;
  const BatchRun run = batch_in(folder.path(), numbered_items(2));
  LockFile other(run.folder.locks());
  FakeRunner runner;
  std::optional<LockFile::Held> held = other.try_lock(run.items[0].file);
  REQUIRE(held);
  std::vector<std::string> order;
  runner.before = [&](const BatchItem& item) {
    order.push_back(item.prompt);
    held.reset();
  };
  CHECK(run_quietly(run, runner).made == 2);
  CHECK(order == std::vector<std::string>{"prompt 2", "prompt 1"});
}

TEST_CASE("a folder that was made from another list or with other samples is refused", "[batch]") {
  const TempDir folder;
  BatchRun run = batch_in(folder.path(), numbered_items(2));
  FakeRunner runner;
  run_quietly(run, runner);
  run.items[1].seed += 1;
  const Error error = error_of([&] { run_quietly(run, runner); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("manifest.jsonl:2: 0002-prompt-2-0.mp4 was made with seed 101, now it is 102") !=
        std::string::npos);
  CHECK(runner.made == 2);
}

TEST_CASE("codes that were to be kept and could not be written are told, and cost no video", "[batch]") {
  const TempDir folder;
  BatchRun run = batch_in(folder.path(), numbered_items(1));
  FakeRunner runner;
  runner.side_error = "codes: cannot write: disk full";
  run.keep_codes = GENERATE(false, true);
  const BatchSummary summary = run_quietly(run, runner);
  CHECK(summary.made == 1);
  CHECK(summary.failed.empty());
  CHECK(summary.without_codes.size() == (run.keep_codes ? 1 : 0));
  CHECK(describe(summary).back().ends_with("disk full") == run.keep_codes);
}

}  // namespace faststar
