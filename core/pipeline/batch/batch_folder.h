#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/pipeline/batch/batch_items.h"
#include "core/pipeline/batch/manifest.h"

namespace faststar {

/// Where the files of a batch lie:
///   videos/         finished files only, as an evaluator reads them
///   manifest.jsonl  a line an attempt
///   config.yaml     all settings
///   codes/          what the transformer made, until its video is finished
///   partial/        files being written, and the locks
class BatchFolder {
 public:
  explicit BatchFolder(std::filesystem::path root) : root_(std::move(root)) {}

  /// Makes the folders, also those below videos/ that `items` need. Throws Error(output).
  void create(const std::vector<BatchItem>& items) const;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path videos() const { return root_ / "videos"; }
  std::filesystem::path manifest() const { return root_ / "manifest.jsonl"; }
  std::filesystem::path config() const { return root_ / "config.yaml"; }
  std::filesystem::path locks() const { return root_ / "partial" / "locks"; }
  std::filesystem::path video(const BatchItem& item) const { return videos() / item.file; }
  /// Named by hash: short and plain whatever the prompt is.
  std::filesystem::path partial_video(const BatchItem& item) const;
  std::filesystem::path codes(const BatchItem& item) const;

  /// Removes what a killed process left in partial/ of this item. For the holder of its lock.
  void remove_partial(const BatchItem& item) const;
  void remove_codes(const BatchItem& item) const;
  /// The partial video becomes the finished one. Returns its size in bytes. Throws Error(output).
  int64_t publish(const BatchItem& item) const;

 private:
  std::filesystem::path root_;
};

/// True when `state` says so and the file is there with the size recorded.
bool is_finished(const BatchFolder& folder, const BatchItem& item, const ItemState* state);

/// Throws Error(usage) when two of `items` would be one file on the file system of `folder`.
void check_names_fit(const BatchFolder& folder, const std::vector<BatchItem>& items);

/// 16 hex digits of what shapes an item: the settings that all share, its text and its own settings.
std::string item_hash(const BatchItem& item, const std::string& settings_hash);

/// Throws Error(usage) when `manifest` has made one of `items` with another prompt, seed or settings: the list or
/// --samples changed.
void check_same_items(const Manifest& manifest, const std::vector<BatchItem>& items, const std::string& settings_hash);

}  // namespace faststar
