#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace faststar {

/// How one item was made.
struct ItemResult {
  std::map<std::string, double> seconds;  ///< by stage name
  int64_t peak_bytes = 0;                 ///< most device memory; 0 on the CPU
  std::string device;                     ///< "cuda:0"
  std::string prompt;                     ///< as the model got it, with tag and suffix
  bool text_cut = false;                  ///< the prompt was longer than the model's limit
};

/// The outcome of one attempt at an item: a line of manifest.jsonl.
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

/// A record as one line of JSON, with its line end.
std::string to_line(const ManifestRecord& record);

/// What to_line wrote; nothing for other text.
std::optional<ManifestRecord> parse_line(const std::string& line);

}  // namespace faststar
