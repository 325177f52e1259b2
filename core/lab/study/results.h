#pragma once
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/lab/study/record.h"
#include "core/lab/study/study_prompt.h"
#include "core/pipeline/batch/lock_file.h"
#include "core/pipeline/batch/shard.h"

namespace faststar {

/// All results in a folder: results.jsonl and results-1.jsonl, results-2.jsonl, ... of processes that share a study. A
/// line that a killed process left half-written does not count. Throws Error(input) naming the line when one is
/// damaged, or made with another setup than the first.
std::vector<StudyRecord> read_results(const std::filesystem::path& folder);

/// The results file of one process.
class ResultsFile {
 public:
  /// Makes the folder. Throws Error(output) when it cannot, or when another process writes this part; as read_results;
  /// and Error(usage) when results are there of the same names but other settings, prompts or another setup.
  ResultsFile(std::filesystem::path folder, const Shard& shard, const std::string& setup,
              const std::vector<StudyPrompt>& prompts, const std::vector<StudyVariant>& variants);

  bool has(int64_t prompt, const std::string& variant) const { return done_.contains({prompt, variant}); }
  /// Appends a line and gives it to the system. Throws Error(output).
  void append(const StudyRecord& record);

 private:
  void check(const StudyRecord& record, const std::string& setup, const std::vector<StudyPrompt>& prompts,
             const std::vector<StudyVariant>& variants) const;

  std::filesystem::path folder_;
  std::filesystem::path file_;
  std::optional<LockFile> locks_;
  std::optional<LockFile::Held> lock_;
  std::set<std::pair<int64_t, std::string>> done_;
  std::ofstream stream_;
};

}  // namespace faststar
