#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/pipeline/batch/item_result.h"

namespace faststar {

/// What one attempt at an item came to: a line of manifest.jsonl.
struct ManifestRecord {
  std::string file;  ///< below videos/
  bool finished = false;
  std::string prompt_en;  ///< the short prompt
  int64_t seed = 0;
  std::string settings_hash;  ///< 16 hex digits
  int64_t bytes = 0;          ///< size of the finished file
  ItemResult result;
  std::string error;  ///< why it failed
};

/// What the manifest says about an item by now.
struct ItemState {
  int64_t line = 0;  ///< of its last record, from 1
  ManifestRecord last;
  int failures = 0;  ///< attempts that failed, of whoever
};

/// The record of a batch: one JSON object a line, appended by any number of processes at once, each line on the disk
/// before the next item starts. A line that a killed process left half-written is cut off before the next is appended.
class Manifest {
 public:
  /// Reads what is there. Throws Error(input) naming the line when one is damaged.
  explicit Manifest(std::filesystem::path path);

  /// Reads the lines that were appended since, whoever wrote them. Throws as the constructor.
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

}  // namespace faststar
