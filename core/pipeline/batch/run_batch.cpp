#include "core/pipeline/batch/run_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/error.h"
#include "core/base/lock_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

/// Every further item of this process would fail too.
bool stops_the_batch(ErrorKind kind) {
  return kind == ErrorKind::output || kind == ErrorKind::model || kind == ErrorKind::device_lost;
}

/// The progress of a whole batch, weighted by the cost of each item. All costs are announced to the display before the
/// first item starts; while an item runs, its own announcements are dropped and its advances passed on.
class BatchProgress final : public Progress {
 public:
  explicit BatchProgress(Progress& display) : display_(display) {}

  using Costs = std::map<Stage, double>;

  void announce(const std::string& file, const Costs& costs) {
    for (const auto& [stage, cost] : costs) display_.plan(stage, cost);
    costs_[file] = costs;
  }

  /// From now on `advance` is about this item; `label` ("video 3/60") goes before the detail.
  void begin(const std::string& file, std::string label) {
    running_ = &costs_[file];
    label_ = std::move(label);
  }

  /// The item costs nothing more: finished, failed for good, or made by another process.
  void settle(const std::string& file) {
    constexpr double kRounding = 1e-6;  // of sums of seconds: nothing to show
    for (auto& [stage, cost] : costs_[file]) {
      if (cost > kRounding) display_.advance(stage, cost, label_);
      cost = 0;
    }
  }

  void plan(Stage, double) override {}  // is announced

  /// A second attempt repeats work that was shown already: the bar moves once it gets further.
  void advance(Stage stage, double cost, std::string_view detail) override {
    double& left = (*running_)[stage];
    const double shown = std::min(left, cost);
    left -= shown;
    display_.advance(stage, shown, detail.empty() ? label_ : fmt::format("{}, {}", label_, detail));
  }

  bool stop_requested() const override { return display_.stop_requested(); }

 private:
  Progress& display_;
  std::map<std::string, Costs> costs_;  ///< still to come, by file
  Costs* running_ = nullptr;
  std::string label_;
};

class BatchLoop {
 public:
  BatchLoop(const BatchRun& run, ItemRunner& runner, Progress& progress,
            const std::function<void(const std::filesystem::path&)>& on_file)
      : run_(run),
        runner_(runner),
        progress_(progress),
        on_file_(on_file),
        manifest_(run.folder.manifest()),
        locks_(run.folder.locks()) {
    check_same_items(manifest_, run.items, run.settings_hash);
    for (const auto& [file, state] : manifest_.items()) failures_before_[file] = state.failures;
    summary_.items = static_cast<int64_t>(run.items.size());
  }

  BatchSummary make_all() {
    find_work();
    while (!queue_.empty()) {
      if (progress_.stop_requested()) stop(queue_.size());
      manifest_.refresh();
      drop_settled();
      if (!queue_.empty() && !make_next()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    count_cut_texts();
    return std::move(summary_);
  }

 private:
  bool finished(const BatchItem& item) const { return is_finished(run_.folder, item, manifest_.find(item.file)); }

  /// Failed attempts of all processes since this one started.
  int failures(const BatchItem& item) const {
    const ItemState* state = manifest_.find(item.file);
    const auto before = failures_before_.find(item.file);
    return state == nullptr ? 0 : state->failures - (before == failures_before_.end() ? 0 : before->second);
  }

  void find_work() {
    for (const BatchItem& item : run_.items) {
      if (finished(item)) {
        ++summary_.found;
      } else {
        queue_.push_back(&item);
        if (item.problem.empty()) progress_.announce(item.file, runner_.costs_of(item));
      }
    }
    if (summary_.found > 0) log::info("resuming: {} of {} videos are finished", summary_.found, summary_.items);
  }

  /// Drops what other processes finished, and what failed too often.
  void drop_settled() {
    std::erase_if(queue_, [&](const BatchItem* item) {
      if (finished(*item)) {
        ++summary_.elsewhere;
      } else if (failures(*item) > run_.retries) {
        summary_.failed.push_back({item->file, manifest_.find(item->file)->last.error});
      } else {
        return false;
      }
      progress_.settle(item->file);
      return true;
    });
  }

  /// False when other processes hold all that is left.
  bool make_next() {
    for (auto next = queue_.begin(); next != queue_.end(); ++next) {
      const BatchItem& item = **next;
      const auto lock = locks_.try_lock(item.file);
      if (!lock) continue;
      manifest_.refresh();  // it may have been finished between the last look and the lock
      if (finished(item) || failures(item) > run_.retries) return true;
      queue_.erase(next);
      if (!make(item)) queue_.push_back(&item);
      return true;
    }
    return false;
  }

  /// Returns whether the item is finished; a failure is recorded in the manifest.
  bool make(const BatchItem& item) {
    const int64_t number = summary_.items - static_cast<int64_t>(queue_.size());
    progress_.begin(item.file, fmt::format("video {}/{}", number, summary_.items));
    run_.folder.remove_partial(item);
    ManifestRecord record{.file = item.file,
                          .prompt_en = item.prompt,
                          .seed = item.seed,
                          .settings_hash = item_hash(item, run_.settings_hash),
                          .result = {.prompt = item.text}};
    try {
      if (!item.problem.empty()) fail(ErrorKind::input, fmt::format("{}: {}", item.origin, item.problem));
      record.result = runner_.run(item, {run_.folder.partial_video(item), run_.folder.codes(item)}, progress_);
      record.bytes = run_.folder.publish(item);
      record.finished = true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) stop(queue_.size() + 1);
      if (stops_the_batch(error.kind())) throw;
      record.error = error.what();
      log::warn("{}: {}", item.file, error.what());
    }
    manifest_.append(record);
    if (!record.finished) return false;
    if (!run_.keep_codes) run_.folder.remove_codes(item);
    ++summary_.made;
    progress_.settle(item.file);
    if (on_file_) on_file_(run_.folder.video(item));
    return true;
  }

  [[noreturn]] void stop(size_t left) const {
    fail(ErrorKind::interrupted, fmt::format("stopped with {} of {} videos left", left, summary_.items),
         "run the same command again to resume");
  }

  void count_cut_texts() {
    for (const BatchItem& item : run_.items) {
      const ItemState* state = manifest_.find(item.file);
      if (state != nullptr && state->last.finished && state->last.result.text_cut) ++summary_.text_cut;
    }
  }

  const BatchRun& run_;
  ItemRunner& runner_;
  BatchProgress progress_;
  const std::function<void(const std::filesystem::path&)>& on_file_;
  Manifest manifest_;
  LockFile locks_;
  std::map<std::string, int> failures_before_;
  std::deque<const BatchItem*> queue_;
  BatchSummary summary_;
};

}  // namespace

BatchSummary run_batch(const BatchRun& run, ItemRunner& runner, Progress& progress,
                       const std::function<void(const std::filesystem::path&)>& on_file) {
  return BatchLoop(run, runner, progress, on_file).make_all();
}

std::string describe(const BatchSummary& summary) {
  std::string text = fmt::format("{} of {} videos finished: {} made now",
                                 summary.found + summary.made + summary.elsewhere, summary.items, summary.made);
  if (summary.found > 0) text += fmt::format(", {} before", summary.found);
  if (summary.elsewhere > 0) text += fmt::format(", {} by other processes", summary.elsewhere);
  if (!summary.failed.empty()) text += fmt::format(", {} failed", summary.failed.size());
  if (summary.text_cut > 0)
    text += fmt::format("; {} prompts were too long for the model and were cut", summary.text_cut);
  for (const FailedItem& item : summary.failed) text += fmt::format("\nfailed: {}: {}", item.file, item.error);
  return text;
}

std::string to_json(const BatchSummary& summary, const BatchFolder& folder) {
  nlohmann::ordered_json json = {{"folder", folder.root().string()},
                                 {"videos", summary.items},
                                 {"found", summary.found},
                                 {"made", summary.made},
                                 {"elsewhere", summary.elsewhere},
                                 {"text_cut", summary.text_cut},
                                 {"failed", nlohmann::ordered_json::array()}};
  for (const FailedItem& item : summary.failed) json["failed"].push_back({{"file", item.file}, {"error", item.error}});
  return json_text(json, 2) + "\n";
}

}  // namespace faststar
