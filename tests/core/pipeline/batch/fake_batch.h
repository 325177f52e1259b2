#pragma once
// A batch without a model: what the loop, the manifest and the locks do does not depend on what makes the videos.
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "core/pipeline/batch/run_batch.h"
#include "support/stop_after.h"
#include "support/support.h"

namespace faststar::test {

inline std::vector<BatchItem> numbered_items(int count) {
  PromptList list;
  for (int i = 0; i < count; ++i) {
    list.entries.push_back({.origin = "list:" + std::to_string(i + 1), .prompt = "prompt " + std::to_string(i + 1)});
  }
  return list_items(list, {.base_seed = 100});
}

/// Writes a text file in two halves, as slowly as asked.
class FakeRunner final : public ItemRunner {
 public:
  std::chrono::microseconds pause{0};
  std::function<void(const BatchItem&)> before;  ///< may throw
  std::string side_error;                        ///< of every video
  int made = 0;

  static std::string content(const BatchItem& item) { return item.text + " " + std::to_string(item.seed) + "\n"; }

  std::map<Stage, double> costs_of(const BatchItem&) override { return {{Stage::tokens, 1}}; }

  RunResult run(const BatchItem& item, const ItemFiles& files, Progress& progress) override {
    if (before) before(item);
    const std::string text = content(item);
    std::ofstream stream(files.video);
    stream << text.substr(0, text.size() / 2) << std::flush;
    std::this_thread::sleep_for(pause);
    stream << text.substr(text.size() / 2) << std::flush;
    progress.advance(Stage::tokens, 1, "step");
    ++made;
    return {.seconds = {{"tokens", 0.5}}, .device = "cpu", .prompt = item.text, .side_error = side_error};
  }
};

inline BatchRun batch_in(const std::filesystem::path& folder, std::vector<BatchItem> items, int retries = 0) {
  BatchRun run{.folder = BatchFolder(folder), .items = std::move(items), .settings_hash = "0", .retries = retries};
  run.folder.create(run.items);
  return run;
}

inline BatchSummary run_quietly(const BatchRun& run, ItemRunner& runner) {
  SilentProgress nobody;
  return run_batch(run, runner, nobody, {});
}

}  // namespace faststar::test
