#include "core/pipeline/batch/run_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/lock_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

using namespace std::chrono_literals;

/// Every further item of this process would fail too.
bool stops_the_batch(ErrorKind kind) {
  return kind == ErrorKind::output || kind == ErrorKind::model || kind == ErrorKind::device_lost;
}

/// The progress of a whole batch, weighted by the cost of each item. All costs are announced to the display before the
/// first item starts, or begun anew for an item that came later; while an item runs, its own announcements are dropped
/// and its advances passed on.
class BatchProgress final : public Progress {
 public:
  explicit BatchProgress(Progress& display) : display_(display) {}

  using Costs = std::map<Stage, double>;

  void announce(const std::string& file, const Costs& costs) {
    for (const auto& [stage, cost] : costs) display_.plan(stage, cost);
    costs_[file] = costs;
  }

  /// The display shows this item alone.
  void announce_alone(const std::string& file, const Costs& costs) {
    display_.restart();
    announce(file, costs);
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
  /// `source`: of items that come later; null without.
  BatchLoop(const BatchRun& run, ItemSource* source, ItemRunner& runner, Progress& progress, const OnResult& on_result)
      : run_(run),
        source_(source),
        runner_(runner),
        progress_(progress),
        on_result_(on_result),
        manifest_(run.folder.manifest()),
        locks_(run.folder.locks()) {
    check_same_items(manifest_, run.items, run.settings_hash);
    for (const auto& [file, state] : manifest_.items()) failures_before_[file] = state.failures;
    summary_.items = static_cast<int64_t>(run.items.size());
  }

  BatchSummary make_all() {
    find_work();
    while (take_items(queue_.empty() ? 100ms : 0ms) || !queue_.empty()) {
      if (progress_.stop_requested()) stop(queue_.size());
      if (queue_.empty()) continue;
      manifest_.refresh();
      drop_settled();
      if (!queue_.empty() && !make_next()) std::this_thread::sleep_for(100ms);
    }
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

  /// What cannot be made is not tried again.
  bool gave_up(const BatchItem& item) const { return failures(item) > (item.problem.empty() ? run_.retries : 0); }

  void find_work() {
    for (const BatchItem& item : run_.items) {
      if (finished(item)) {
        settle(item, ItemEnd::found);
        if (!run_.keep_codes) run_.folder.remove_codes(item);  // whoever made it may have been killed before
      } else {
        queue_.push_back(&item);
        if (item.problem.empty()) progress_.announce(item.file, runner_.costs_of(item));
      }
    }
    if (summary_.found > 0) log::info("resuming: {} of {} videos are finished", summary_.found, summary_.items);
  }

  /// Queues what came meanwhile; waits up to `patience` for it. False when no more will come.
  bool take_items(std::chrono::milliseconds patience) {
    if (source_ == nullptr) return false;
    std::vector<BatchItem> items = source_->take(patience);
    if (!items.empty()) manifest_.refresh();
    for (BatchItem& item : items) accept(late_items_.emplace_back(std::move(item)));
    return !source_->ended();
  }

  void accept(const BatchItem& item) {
    ++summary_.items;
    if (!finished(item)) return queue_.push_back(&item);
    settle_finished(item, ItemEnd::found);
  }

  /// A video of that name exists: it counts unless it was made from something else.
  void settle_finished(const BatchItem& item, ItemEnd end) {
    const std::string conflict = find_conflict(manifest_, item, run_.settings_hash);
    settle(item, conflict.empty() ? end : ItemEnd::failed, conflict);
  }

  void settle(const BatchItem& item, ItemEnd end, const std::string& error = "") {
    progress_.settle(item.file);
    switch (end) {
      case ItemEnd::made: ++summary_.made; break;
      case ItemEnd::found: ++summary_.found; break;
      case ItemEnd::elsewhere: ++summary_.elsewhere; break;
      case ItemEnd::failed: summary_.failed.push_back({item.file, error}); break;
    }
    const ItemState* state = manifest_.find(item.file);
    if (end != ItemEnd::failed && state != nullptr && state->last.result.text_cut) ++summary_.text_cut;
    const auto taken = seconds_.extract(item.file);
    if (on_result_) on_result_({item, end, error, taken.empty() ? 0 : taken.mapped()});
  }

  /// Drops what other processes finished, and what failed too often.
  void drop_settled() {
    std::deque<const BatchItem*> left;
    for (const BatchItem* item : std::exchange(queue_, {})) {
      if (finished(*item)) {
        settle_finished(*item, ItemEnd::elsewhere);
      } else if (gave_up(*item)) {
        settle(*item, ItemEnd::failed, manifest_.find(item->file)->last.error);
      } else {
        left.push_back(item);
      }
    }
    queue_ = std::move(left);
  }

  /// False when other processes hold all that is left.
  bool make_next() {
    for (auto next = queue_.begin(); next != queue_.end(); ++next) {
      const BatchItem& item = **next;
      const auto lock = locks_.try_lock(item.file);
      if (!lock) continue;
      manifest_.refresh();  // it may have been finished between the last look and the lock
      if (finished(item) || gave_up(item)) return true;
      queue_.erase(next);
      if (make(item)) return true;
      take_items(0ms);
      queue_.push_back(&item);
      return true;
    }
    return false;
  }

  void begin_progress(const BatchItem& item) {
    if (source_ == nullptr) {
      const int64_t number = summary_.items - static_cast<int64_t>(queue_.size());
      return progress_.begin(item.file, fmt::format("video {}/{}", number, summary_.items));
    }
    if (item.problem.empty()) progress_.announce_alone(item.file, runner_.costs_of(item));
    progress_.begin(item.file, fmt::format("video {}", item.index + 1));
  }

  /// Returns whether the item is finished; a failure is recorded in the manifest.
  bool make(const BatchItem& item) {
    const auto start = std::chrono::steady_clock::now();
    begin_progress(item);
    run_.folder.remove_partial(item);
    ManifestRecord record{.file = item.file,
                          .prompt_en = item.prompt,
                          .seed = item.seed,
                          .settings_hash = item_hash(item, run_.settings_hash),
                          .result = {.prompt = item.text}};
    try {
      if (!item.problem.empty()) fail(ErrorKind::input, fmt::format("{}: {}", item.origin, item.problem));
      record.result = runner_.run(item, {run_.folder.partial_video(item), run_.folder.codes(item)}, progress_);
      summary_.peak_bytes = std::max(summary_.peak_bytes, record.result.peak_bytes);
      record.bytes = run_.folder.publish(item);
      record.finished = true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) stop(queue_.size() + 1);
      if (stops_the_batch(error.kind())) throw;
      record.error = log::shown(error.what());
      log::warn("{}: {}", item.file, error.what());
    }
    seconds_[item.file] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    manifest_.append(record);
    if (!record.finished) return false;
    const std::string& codes_error = record.result.side_error;
    if (!run_.keep_codes) run_.folder.remove_codes(item);
    if (run_.keep_codes && !codes_error.empty()) summary_.without_codes.push_back({item.file, codes_error});
    manifest_.refresh();
    settle(item, ItemEnd::made);
    return true;
  }

  [[noreturn]] void stop(size_t left) const {
    fail(ErrorKind::interrupted, fmt::format("stopped with {} of {} videos left", left, summary_.items),
         source_ == nullptr ? "run the same command again to resume" : "the same command and lines resume");
  }

  const BatchRun& run_;
  ItemSource* source_;
  ItemRunner& runner_;
  BatchProgress progress_;
  const OnResult& on_result_;
  Manifest manifest_;
  LockFile locks_;
  std::map<std::string, int> failures_before_;
  std::map<std::string, double> seconds_;  ///< taken so far for items that have not ended
  std::deque<BatchItem> late_items_;       ///< of `source_`
  std::deque<const BatchItem*> queue_;
  BatchSummary summary_;
};

double rounded_seconds(double seconds) { return std::round(seconds * 1e3) / 1e3; }

/// Messages of an entry's settings begin with its place.
std::string without_origin(const std::string& error, const std::string& origin) {
  const std::string start = origin + ": ";
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

}  // namespace

BatchSummary run_batch(const BatchRun& run, ItemRunner& runner, Progress& progress, const OnResult& on_result) {
  return BatchLoop(run, nullptr, runner, progress, on_result).make_all();
}

BatchSummary run_batch(const BatchRun& run, ItemSource& source, ItemRunner& runner, Progress& progress,
                       const OnResult& on_result) {
  return BatchLoop(run, &source, runner, progress, on_result).make_all();
}

std::vector<std::string> describe(const BatchSummary& summary) {
  std::string text = fmt::format("{} of {} videos finished: {} made now",
                                 summary.found + summary.made + summary.elsewhere, summary.items, summary.made);
  if (summary.found > 0) text += fmt::format(", {} before", summary.found);
  if (summary.elsewhere > 0) text += fmt::format(", {} by other processes", summary.elsewhere);
  if (!summary.failed.empty()) text += fmt::format(", {} failed", summary.failed.size());
  if (summary.text_cut > 0)
    text += fmt::format("; {} prompts were too long for the model and were cut", summary.text_cut);
  std::vector<std::string> lines = {text};
  for (const FailedItem& item : summary.failed) lines.push_back(fmt::format("failed: {}: {}", item.file, item.error));
  for (const FailedItem& item : summary.without_codes) {
    lines.push_back(fmt::format("video written, but its codes could not be saved: {}: {}", item.file, item.error));
  }
  return lines;
}

std::string to_json(const BatchSummary& summary, const BatchFolder& folder, const BatchCost& cost) {
  nlohmann::ordered_json json = {{"folder", folder.root().string()},
                                 {"videos", summary.items},
                                 {"found", summary.found},
                                 {"made", summary.made},
                                 {"elsewhere", summary.elsewhere},
                                 {"text_cut", summary.text_cut},
                                 {"failed", nlohmann::ordered_json::array()}};
  for (const FailedItem& item : summary.failed) json["failed"].push_back({{"file", item.file}, {"error", item.error}});
  json["seconds"] = rounded_seconds(cost.seconds);
  json["peak_memory_bytes"] = cost.peak_memory_bytes;
  return json_text(json, 2) + "\n";
}

std::string to_json_line(const ItemResult& result, const BatchFolder& folder) {
  using Json = nlohmann::ordered_json;
  const bool failed = result.end == ItemEnd::failed;
  Json json = {{"index", result.item.index}, {"sample", result.item.sample}, {"seed", result.item.seed}};
  if (!result.item.id.empty()) json["id"] = Json::parse(result.item.id);
  json["prompt"] = result.item.prompt;
  json["file"] = failed ? Json() : Json(folder.video(result.item).string());
  json["status"] = failed ? "failed" : "done";
  json["error"] = failed ? Json(result.error) : Json();
  json["seconds"] = rounded_seconds(result.seconds);
  return json_text(json) + "\n";
}

std::vector<BatchProblem> find_problems(const BatchRun& run,
                                        const std::function<std::string(const BatchItem&)>& problem_of) {
  std::vector<BatchProblem> problems;
  const auto add = [&](const std::string& origin, const std::string& error) {
    if (!error.empty()) problems.push_back({origin, without_origin(error, origin)});
  };
  try {
    run.folder.check_writable();
  } catch (const Error& error) {
    add(run.folder.root().string(), error.what());
  }
  const Manifest manifest(run.folder.manifest());
  std::set<std::string> seen;
  for (const BatchItem& item : run.items) {
    add(item.origin, find_conflict(manifest, item, run.settings_hash));
    if (seen.insert(item.origin).second) add(item.origin, problem_of(item));
  }
  return problems;
}

std::string describe(const std::vector<BatchProblem>& problems, const BatchRun& run) {
  std::string text;
  for (const BatchProblem& problem : problems) {
    text += log::shown(fmt::format("{}: {}", problem.origin, problem.error)) + "\n";
  }
  const auto counted = [](size_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  return text + counted(run.items.size(), "video") + ": " + counted(problems.size(), "problem") + "\n";
}

std::string to_json(const std::vector<BatchProblem>& problems, const BatchRun& run,
                    const std::optional<TimeEstimate>& time) {
  nlohmann::ordered_json json = {
      {"command", "batch"}, {"dry_run", true}, {"folder", run.folder.root().string()}, {"videos", run.items.size()}};
  json.update(to_json(time));
  json["problems"] = nlohmann::ordered_json::array();
  for (const BatchProblem& problem : problems) {
    json["problems"].push_back({{"origin", problem.origin}, {"error", log::shown(problem.error)}});
  }
  return json_text(json, 2) + "\n";
}

}  // namespace faststar
