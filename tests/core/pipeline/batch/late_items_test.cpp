// A batch whose items come while others are made.
#include <nlohmann/json.hpp>

#include "core/pipeline/batch/fake_batch.h"

namespace faststar {
namespace {

using test::batch_in;
using test::CollectWarnings;
using test::FakeRunner;
using test::numbered_items;
using test::TempDir;

/// Gives out one group of items per call; a test adds groups.
class ScriptedSource final : public ItemSource {
 public:
  std::deque<std::vector<BatchItem>> groups;

  std::vector<BatchItem> take(std::chrono::milliseconds) override {
    if (groups.empty()) return {};
    std::vector<BatchItem> items = std::move(groups.front());
    groups.pop_front();
    return items;
  }
  bool ended() const override { return groups.empty(); }
};

/// "done 0001-prompt-1-0.mp4" of each result, in order.
struct Results {
  std::vector<std::string> lines;
  std::vector<std::string> errors;

  void operator()(const ItemResult& result) {
    lines.push_back((result.end == ItemEnd::failed ? "failed " : "done ") + result.item.prompt);
    if (!result.error.empty()) errors.push_back(result.error);
  }
};

BatchSummary run_late(const BatchRun& run, ItemSource& source, ItemRunner& runner, Results& results,
                      Progress&& progress = SilentProgress()) {
  return run_batch(run, source, runner, progress, std::ref(results));
}

}  // namespace

TEST_CASE("items that come while another is made are made after it", "[batch]") {
  const TempDir folder;
  const auto items = numbered_items(3);
  ScriptedSource source;
  source.groups = {{items[0]}, {}, {items[1], items[2]}, {}};
  FakeRunner runner;
  Results results;
  const BatchSummary summary = run_late(batch_in(folder.path(), {}), source, runner, results);
  CHECK(results.lines == std::vector<std::string>{"done prompt 1", "done prompt 2", "done prompt 3"});
  CHECK(summary.items == 3);
  CHECK(summary.made == 3);
}

TEST_CASE("a retry comes after the items that wait, also those that came during the attempt", "[batch]") {
  const TempDir folder;
  const CollectWarnings warnings;
  const auto items = numbered_items(4);
  ScriptedSource source;
  source.groups = {{items[0], items[1]}};
  FakeRunner runner;
  std::vector<std::string> order;
  runner.before = [&](const BatchItem& item) {
    order.push_back(item.prompt);
    if (order.size() == 1) source.groups.push_back({items[2]});
    if (item.prompt == "prompt 1") fail(ErrorKind::input, "no image");
  };
  Results results;
  const BatchSummary summary = run_late(batch_in(folder.path(), {}, /*retries=*/1), source, runner, results);
  CHECK(order == std::vector<std::string>{"prompt 1", "prompt 2", "prompt 3", "prompt 1"});
  CHECK(results.lines == std::vector<std::string>{"done prompt 2", "done prompt 3", "failed prompt 1"});
  CHECK(results.errors == std::vector<std::string>{"no image"});
  CHECK(summary.failed.size() == 1);
}

TEST_CASE("what is there already is told as done and not made; what was made from something else fails", "[batch]") {
  const TempDir folder;
  auto items = numbered_items(3);
  ScriptedSource source;
  source.groups = {{items[0], items[1]}};
  FakeRunner runner;
  Results first, again;
  const BatchRun run = batch_in(folder.path(), {});
  run_late(run, source, runner, first);
  items[1].text = "something else";
  source.groups = {{items[0], items[1], items[2]}};
  const BatchSummary summary = run_late(run, source, runner, again);
  CHECK(runner.made == 3);
  CHECK(summary.found == 1);
  CHECK(again.lines == std::vector<std::string>{"done prompt 1", "failed prompt 2", "done prompt 3"});
  CHECK_THAT(again.errors.at(0), ContainsSubstring("0002-prompt-2-0.mp4 was made with text or settings"));
  CHECK(test::read_text(run.folder.video(items[1])) == "prompt 2 101\n");  // the finished video stays
}

TEST_CASE("each late item has a progress of its own", "[batch]") {
  struct Recorder final : Progress {
    std::string events;
    void plan(Stage, double) override { events += "plan "; }
    void restart() override { events += "restart "; }
    void advance(Stage, double, std::string_view detail) override { events += fmt::format("[{}] ", detail); }
    bool stop_requested() const override { return false; }
  };
  const TempDir folder;
  const auto items = numbered_items(2);
  ScriptedSource source;
  source.groups = {{items[0], items[1]}};
  FakeRunner runner;
  Recorder progress;
  run_batch(batch_in(folder.path(), {}), source, runner, progress, {});
  CHECK(progress.events == "restart plan [video 1, step] restart plan [video 2, step] ");
}

TEST_CASE("a stop ends the wait for items", "[batch]") {
  struct Endless final : ItemSource {
    std::vector<BatchItem> take(std::chrono::milliseconds) override { return {}; }
    bool ended() const override { return false; }
  };
  const TempDir folder;
  Endless source;
  FakeRunner runner;
  Results results;
  const BatchRun run = batch_in(folder.path(), {});
  const Error error = test::error_of([&] { run_late(run, source, runner, results, test::StopAfter(0)); });
  CHECK(error.kind() == ErrorKind::interrupted);
}

TEST_CASE("when a result cannot be told, what was made stays recorded", "[batch]") {
  const TempDir folder;
  const auto items = numbered_items(2);
  ScriptedSource source;
  source.groups = {{items[0], items[1]}};
  FakeRunner runner;
  SilentProgress nobody;
  const BatchRun run = batch_in(folder.path(), {});
  const auto broken = [](const ItemResult&) { fail(ErrorKind::output, "stdout: cannot write"); };
  CHECK(test::error_of([&] { run_batch(run, source, runner, nobody, broken); }).kind() == ErrorKind::output);
  CHECK(runner.made == 1);
  CHECK(is_finished(run.folder, items[0], Manifest(run.folder.manifest()).find(items[0].file)));
}

TEST_CASE("a result is one line of JSON", "[batch]") {
  auto item = numbered_items(1)[0];
  item.id = "\"a\\\"b\"";
  const BatchFolder folder("runs/x");
  CHECK(to_json_line({.item = item, .end = ItemEnd::made, .error = "", .seconds = 1.23456}, folder) ==
        R"({"index":0,"sample":0,"seed":100,"id":"a\"b","prompt":"prompt 1",)"
        R"("file":"runs/x/videos/0001-prompt-1-0.mp4","status":"done","error":null,"seconds":1.235})"
        "\n");
  item.id.clear();
  CHECK(to_json_line({.item = item, .end = ItemEnd::failed, .error = "no\nimage"}, folder) ==
        R"({"index":0,"sample":0,"seed":100,"prompt":"prompt 1","file":null,)"
        R"("status":"failed","error":"no\nimage","seconds":0.0})"
        "\n");
}

}  // namespace faststar
