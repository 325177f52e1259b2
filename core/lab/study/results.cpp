#include "core/lab/study/results.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kStem = "results";
constexpr std::string_view kEnding = ".jsonl";

std::string file_name(const Shard& shard) {
  return shard.count == 1 ? fmt::format("{}{}", kStem, kEnding)
                          : fmt::format("{}-{}{}", kStem, shard.index + 1, kEnding);
}

std::vector<fs::path> result_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kStem) && name.ends_with(kEnding)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void read_file(const fs::path& file, std::vector<StudyRecord>& records) {
  std::ifstream stream(file);
  int64_t number = 0;
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    const std::string where = fmt::format("{}:{}", file.string(), ++number);
    records.push_back(parse_record(line, where));
    if (records.back().setup == records.front().setup) continue;
    fail(ErrorKind::input, fmt::format("{}: made with another setup than the results before it", where),
         "a folder a study");
  }
}

[[noreturn]] void refuse(const fs::path& folder, const std::string& difference) {
  fail(ErrorKind::usage, fmt::format("{}: this study was begun with {}", folder.string(), difference),
       "--out another folder, or the settings of before");
}

}  // namespace

std::vector<StudyRecord> read_results(const fs::path& folder) {
  std::vector<StudyRecord> records;
  for (const fs::path& file : result_files(folder)) read_file(file, records);
  return records;
}

ResultsFile::ResultsFile(fs::path folder, const Shard& shard, const std::string& setup,
                         const std::vector<StudyPrompt>& prompts, const std::vector<StudyVariant>& variants)
    : folder_(std::move(folder)), file_(folder_ / file_name(shard)) {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) fail(ErrorKind::output, fmt::format("{}: cannot be made: {}", folder_.string(), failed.message()));
  locks_.emplace(folder_ / ".lock");
  auto held = locks_->try_lock(file_.filename().string());
  if (!held) fail(ErrorKind::output, fmt::format("{}: another process writes it", file_.string()));
  lock_.emplace(std::move(*held));
  cut_torn_line(file_);
  for (const StudyRecord& record : read_results(folder_)) {
    check(record, setup, prompts, variants);
    done_.insert({record.prompt, record.variant});
  }
  stream_.open(file_, std::ios::app);
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written", file_.string()));
}

void ResultsFile::check(const StudyRecord& record, const std::string& setup, const std::vector<StudyPrompt>& prompts,
                        const std::vector<StudyVariant>& variants) const {
  if (record.setup != setup) refuse(folder_, "another model, other generation settings or another seed");
  const auto prompt = static_cast<size_t>(record.prompt);
  const bool asked = prompt < prompts.size();
  if (asked && (record.text != prompts[prompt].text || record.seed != prompts[prompt].seed)) {
    refuse(folder_, fmt::format("other prompts: prompt {} was: {}", prompt, record.text));
  }
  const auto variant = std::ranges::find(variants, record.variant, &StudyVariant::name);
  if (variant == variants.end() || variant->settings == record.settings) return;
  refuse(folder_, fmt::format("other settings of the variant {}", record.variant));
}

void ResultsFile::append(const StudyRecord& record) {
  stream_ << to_json_line(record) << '\n' << std::flush;
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written: disk full?", file_.string()));
  done_.insert({record.prompt, record.variant});
}

}  // namespace faststar
