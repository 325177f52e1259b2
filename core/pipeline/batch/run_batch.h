#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/time_estimate.h"

namespace faststar {

/// Where an item's files go while it is made.
struct ItemFiles {
  std::filesystem::path video;  ///< does not exist yet
  std::filesystem::path codes;  ///< may exist from an earlier attempt
};

/// Makes one video. The batch itself knows no model.
class ItemRunner {
 public:
  virtual ~ItemRunner() = default;
  /// Estimated seconds of the stages of `item`; none for an item that cannot be made.
  virtual std::map<Stage, double> costs_of(const BatchItem& item) = 0;
  /// Leaves the finished video at `files.video`. Throws Error.
  virtual RunResult run(const BatchItem& item, const ItemFiles& files, Progress& progress) = 0;
};

/// Items that come while a batch runs.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  /// What came since the last call; waits up to `patience` for the first one.
  virtual std::vector<BatchItem> take(std::chrono::milliseconds patience) = 0;
  /// True once everything was taken and no more will come.
  virtual bool ended() const = 0;
};

struct BatchRun {
  BatchFolder folder;
  std::vector<BatchItem> items;  ///< of this process; other processes may have the same
  std::string settings_hash;     ///< of the settings that all items share
  int retries = 0;               ///< for each item that fails
  bool keep_codes = false;       ///< also those of finished videos
};

/// How an item ended, for good. made: by this process; found: before this run; elsewhere: by another process meanwhile.
enum class ItemEnd { made, found, elsewhere, failed };

struct ItemResult {
  const BatchItem& item;
  ItemEnd end;
  std::string error;   ///< why it failed
  double seconds = 0;  ///< that this process took for it, all attempts together
};
using OnResult = std::function<void(const ItemResult&)>;

struct FailedItem {
  std::string file;
  std::string error;
};

struct BatchSummary {
  int64_t items = 0;
  int64_t found = 0;       ///< finished before this run
  int64_t made = 0;        ///< by this process
  int64_t elsewhere = 0;   ///< by other processes meanwhile
  int64_t peak_bytes = 0;  ///< most device memory of any video made by this process; 0 on the CPU
  int64_t text_cut = 0;    ///< finished videos whose prompt was longer than the model's limit
  std::vector<FailedItem> failed;
  std::vector<FailedItem> without_codes;  ///< made by this process; the codes to keep could not be written
};

/// Makes the missing videos of `run.items`. Several processes can work on one folder: whoever holds the lock of an item
/// makes it, and the others wait for those left. An item that fails is retried after the others, unless it has a
/// problem. `on_result` is called for each item as it ends. Throws Error(interrupted) when `progress` asks to stop, and
/// any error that every further item would fail with too: Error(model), Error(output), Error(device_lost).
BatchSummary run_batch(const BatchRun& run, ItemRunner& runner, Progress& progress, const OnResult& on_result);

/// The same for items that come while others are made, until `source` has ended; `run` has none. A retry comes after
/// the items that wait. An item whose video was made from something else (find_conflict) fails alone. Each item shows
/// a progress of its own.
BatchSummary run_batch(const BatchRun& run, ItemSource& source, ItemRunner& runner, Progress& progress,
                       const OnResult& on_result);

/// Lines: how many videos were made, and which failed and why.
std::vector<std::string> describe(const BatchSummary& summary);
/// What a batch took.
struct BatchCost {
  double seconds = 0;             ///< from before its first video until the last one ended
  int64_t peak_memory_bytes = 0;  ///< of the device; without one, of the process
};

/// {"folder","videos","found","made","elsewhere","text_cut","failed":[{"file","error"}],"seconds","peak_memory_bytes"}
std::string to_json(const BatchSummary& summary, const BatchFolder& folder, const BatchCost& cost);

/// One line, with its end:
/// {"index","sample","seed","id"?,"prompt","file"|null,"status":"done"|"failed","error"|null,"seconds"}
std::string to_json_line(const ItemResult& result, const BatchFolder& folder);

/// One thing that a batch would fail at.
struct BatchProblem {
  std::string origin;  ///< "prompts.jsonl:3", or the folder
  std::string error;
};

/// All that would fail, as far as it shows before weights load: the folder, videos in it that were made from something
/// else, and each entry once, however many videos it makes. `problem_of` is PipelineRunner::problem_of.
std::vector<BatchProblem> find_problems(const BatchRun& run,
                                        const std::function<std::string(const BatchItem&)>& problem_of);

/// A line for each, and the counts.
std::string describe(const std::vector<BatchProblem>& problems, const BatchRun& run);
/// {"command","dry_run","folder","videos","seconds_estimate","estimate_source","problems":[{"origin","error"}]};
/// `time`: of the videos that are missing.
std::string to_json(const std::vector<BatchProblem>& problems, const BatchRun& run,
                    const std::optional<TimeEstimate>& time);

}  // namespace faststar
