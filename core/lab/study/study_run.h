#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/lab/study/results.h"

namespace faststar {

/// How one process made results: what a reader needs to judge them, and to make them again.
struct StudyRun {
  std::string date;      ///< of its start, UTC: "2026-12-01T14:05:00Z"
  std::string program;   ///< with commit and LibTorch
  std::string machine;   ///< GPU, CPU, cores, memory
  std::string device;    ///< "cuda:0, bf16"
  std::string model;     ///< name and where it lies
  std::string settings;  ///< in a line: size, length, guidance, ...
  std::string prompts;   ///< where they come from
  std::string seed;
  std::string command;                       ///< of the whole study, without --shard
  nlohmann::ordered_json all_settings = {};  ///< see config_json
};

nlohmann::ordered_json to_json(const StudyRun& run);

/// What the records of this run call it: a hash of all that it says.
std::string run_id(const StudyRun& run);

/// Appends `run` to runs.jsonl in `folder`, or to the file of the shard, beside its results. The caller holds the lock
/// of these results (ResultsFile). Throws Error(output).
void append_run(const std::filesystem::path& folder, const Shard& shard, const StudyRun& run);

/// The runs that made the results of a study.
struct StudyOrigin {
  struct Part {
    StudyRun run;
    int64_t results = 0;
  };
  std::vector<Part> parts;  ///< in the order of their dates
  int64_t unknown = 0;      ///< results of versions that kept no such facts
};

/// Who made `records`, from the files of append_run in `folder`. Runs without results are left out; a half-written last
/// line is ignored. Throws Error(input) naming the line when one is damaged.
StudyOrigin read_origin(const std::filesystem::path& folder, const std::vector<StudyRecord>& records);

/// A line at the top of a report.
struct OriginLine {
  std::string name;
  std::string text;
};

/// Date, program, machine, device, model, settings, prompts, seed and command. Where runs differ, every value is named
/// with the number of its results.
std::vector<OriginLine> origin_lines(const StudyOrigin& origin);

}  // namespace faststar
