#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/pipeline/batch/batch_items.h"
#include "core/pipeline/run.h"

namespace faststar {

/// The outcome of one attempt at an item: a line of manifest.jsonl.
struct ManifestRecord {
  std::string file;  ///< below videos/
  bool finished = false;
  std::string prompt_en;  ///< the short prompt
  int64_t seed = 0;
  std::string settings_hash;  ///< 16 hex digits
  int64_t bytes = 0;          ///< size of the finished file
  RunResult result;
  std::string error;  ///< why it failed
};

/// What the manifest knows about an item.
struct ItemState {
  int64_t line = 0;  ///< of its last record, from 1
  ManifestRecord last;
  int failures = 0;  ///< failed attempts of all processes
};

/// The record of a batch: one JSON object per line. Any number of processes append to it at once; each line is on disk
/// before the next item starts. A half-written line of a killed process is removed before the next one is appended.
class Manifest {
 public:
  /// Reads the file, if there is one. Throws Error(input) naming the line when one is damaged.
  explicit Manifest(std::filesystem::path path);

  /// Reads the lines appended since, by any process. Throws like the constructor.
  void refresh();
  /// Throws Error(output).
  void append(const ManifestRecord& record);

  /// By file name.
  const std::map<std::string, ItemState>& items() const { return items_; }
  const ItemState* find(const std::string& file) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int64_t offset_ = 0;  ///< bytes read: whole lines
  int64_t lines_ = 0;
  std::map<std::string, ItemState> items_;
};

/// The folder of a batch:
///   videos/         finished videos only, as an evaluator reads them
///   manifest.jsonl  one line per attempt
///   config.yaml     all settings
///   codes/          codes from the transformer, until the video is finished
///   partial/        files being written, and the locks
class BatchFolder {
 public:
  explicit BatchFolder(std::filesystem::path root) : root_(std::move(root)) {}

  /// Creates the folders, also those below videos/ that `items` need. Throws Error(output).
  void create(const std::vector<BatchItem>& items) const;

  /// Throws Error(output) when the folder cannot be made or takes no files. Leaves nothing behind.
  void check_writable() const;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path videos() const { return root_ / "videos"; }
  std::filesystem::path manifest() const { return root_ / "manifest.jsonl"; }
  std::filesystem::path config() const { return root_ / "config.yaml"; }
  std::filesystem::path locks() const { return root_ / "partial" / "locks"; }
  std::filesystem::path video(const BatchItem& item) const { return videos() / item.file; }
  /// Named by hash: short and plain ASCII, whatever the prompt is.
  std::filesystem::path partial_video(const BatchItem& item) const;
  std::filesystem::path codes(const BatchItem& item) const;

  /// Removes what a killed process left in partial/ for this item. Only for the holder of its lock.
  void remove_partial(const BatchItem& item) const;
  void remove_codes(const BatchItem& item) const;
  /// Moves the partial video to its final name. Returns its size in bytes. Throws Error(output).
  int64_t publish(const BatchItem& item) const;

 private:
  std::filesystem::path root_;
};

/// True when `state` is finished and the file exists with the recorded size.
bool is_finished(const BatchFolder& folder, const BatchItem& item, const ItemState* state);

/// Throws Error(usage) when two of `items` would be one file on the file system of `folder`.
void check_names_fit(const BatchFolder& folder, const std::vector<BatchItem>& items);

/// 16 hex digits over everything that changes the video: the shared settings, the text and the item's own settings.
std::string item_hash(const BatchItem& item, const std::string& settings_hash);

/// When `manifest` has a finished video under the name of `item` that was made from another prompt, seed or settings:
/// one line that says so; else empty.
std::string find_conflict(const Manifest& manifest, const BatchItem& item, const std::string& settings_hash);

/// Throws Error(usage) at the first conflict: the list or --samples changed.
void check_same_items(const Manifest& manifest, const std::vector<BatchItem>& items, const std::string& settings_hash);

/// Which videos of a list an evaluator would find. Names are relative to videos/, in the order of the list.
struct Coverage {
  int64_t expected = 0;
  std::vector<std::string> missing;  ///< no such file
  std::vector<std::string> damaged;  ///< empty, or not of the size that was finished
  /// Other files in the same folders. VBench takes the extension of whichever file it lists first.
  std::vector<std::string> foreign;
  bool complete() const { return missing.empty() && damaged.empty() && foreign.empty(); }
};

/// Looks for every item, and for other files in their folders. Only reads.
Coverage check_coverage(const BatchFolder& folder, const std::vector<BatchItem>& items);

/// Text: a line per problem, such as "missing scene/alley-0.mp4", and the counts.
std::string describe(const Coverage& coverage);
/// {"folder","expected","missing":[],"damaged":[],"foreign":[]}
std::string to_json(const Coverage& coverage, const BatchFolder& folder);

// config.yaml in the folder of a batch holds its settings. They stay the same when the batch is resumed
// (batch_settings.cpp).

/// The settings in the file; nothing when it does not exist yet. Throws Error(usage) when it is damaged.
std::optional<Config> read_batch_settings(const std::filesystem::path& file);

/// Fills in what a batch decides once: the base seed (given, else that of earlier runs in the folder, else random), the
/// precision and the full path of the model. Clears the settings of single files.
void settle_batch_settings(const BatchFolder& folder, Precision precision, ResolvedSettings& resolved);

/// Throws Error(usage) when the batch in the folder was started with other settings.
void check_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved);

/// The same, and saves the settings if there are none yet. One process at a time.
void save_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved);

/// Throws Error(usage) naming each changed setting that affects the videos, with both values. Device, messages and
/// additional files may change.
void check_same_settings(const std::filesystem::path& file, const Config& before, const Config& now);

/// 16 hex digits of those settings, for the manifest.
std::string settings_hash(const Config& config);

}  // namespace faststar
