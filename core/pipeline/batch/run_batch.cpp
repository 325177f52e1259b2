#include "core/pipeline/batch/run_batch.h"

#include <fmt/format.h>

#include <chrono>
#include <deque>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/pipeline/batch/batch_progress.h"
#include "core/pipeline/batch/lock_file.h"

namespace faststar {
namespace {

/// Every further item would fail too, in this process.
bool stops_the_batch(ErrorKind kind) {
  return kind == ErrorKind::output || kind == ErrorKind::model || kind == ErrorKind::device_lost;
}

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

  /// Attempts of this and other processes since this one began.
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
        progress_.begin_announcing(item.file);
        if (item.problem.empty()) runner_.announce(item, progress_);
      }
    }
    if (summary_.found > 0) log::info("{} of {} videos are there already", summary_.found, summary_.items);
  }

  /// What others finished, and what failed too often.
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

  /// False when others hold all that is left.
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

  /// True when it is finished; false leaves a failure in the manifest.
  bool make(const BatchItem& item) {
    const int64_t number = summary_.items - static_cast<int64_t>(queue_.size());
    progress_.begin(item.file, fmt::format("video {}/{}", number, summary_.items));
    run_.folder.remove_partial(item);
    ManifestRecord record = record_of(item);
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
    if (run_.keep_codes == KeepCodes::until_finished) run_.folder.remove_codes(item);
    ++summary_.made;
    progress_.settle(item.file);
    if (on_file_) on_file_(run_.folder.video(item));
    return true;
  }

  ManifestRecord record_of(const BatchItem& item) const {
    ManifestRecord record;
    record.file = item.file;
    record.prompt_en = item.prompt;
    record.result.prompt = item.text;
    record.seed = item.seed;
    record.settings_hash = item_hash(item, run_.settings_hash);
    return record;
  }

  [[noreturn]] void stop(size_t left) const {
    fail(ErrorKind::interrupted, fmt::format("stopped with {} of {} videos to make", left, summary_.items),
         "the same command continues");
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

}  // namespace faststar
