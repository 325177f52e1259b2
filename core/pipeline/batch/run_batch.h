#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/batch/item_result.h"

namespace faststar {

/// Where an item's files go while it is made.
struct ItemFiles {
  std::filesystem::path video;  ///< does not exist yet
  std::filesystem::path codes;  ///< may be there from an earlier attempt
};

/// Makes one video. The batch around it knows no model.
class ItemRunner {
 public:
  virtual ~ItemRunner() = default;
  /// Calls progress.plan with what `item` will cost. Throws nothing for an item that cannot be made.
  virtual void announce(const BatchItem& item, Progress& progress) = 0;
  /// Leaves the finished video at `files.video`. Throws Error.
  virtual ItemResult run(const BatchItem& item, const ItemFiles& files, Progress& progress) = 0;
};

enum class KeepCodes { until_finished, always };

struct BatchRun {
  BatchFolder folder;
  std::vector<BatchItem> items;  ///< of this process; others may have the same
  std::string settings_hash;     ///< of what all items share
  int retries = 0;               ///< further attempts at an item that failed
  KeepCodes keep_codes = KeepCodes::until_finished;
};

struct FailedItem {
  std::string file;
  std::string error;
};

struct BatchSummary {
  int64_t items = 0;
  int64_t found = 0;      ///< finished before this run
  int64_t made = 0;       ///< by this process
  int64_t elsewhere = 0;  ///< by others meanwhile
  int64_t text_cut = 0;   ///< of the finished ones: text over the model's limit
  std::vector<FailedItem> failed;
};

/// Makes what `run.items` lack, several processes at once if need be: an item belongs to who holds its lock, and items
/// that another holds are waited for. An item that fails is tried again after the others. `on_file` hears of each video
/// that this process finishes. Throws Error(interrupted) when `progress` asks to stop, and what makes every further
/// item fail too: Error(model), Error(output), Error(device_lost), which is no failure of the item.
BatchSummary run_batch(const BatchRun& run, ItemRunner& runner, Progress& progress,
                       const std::function<void(const std::filesystem::path&)>& on_file);

}  // namespace faststar
