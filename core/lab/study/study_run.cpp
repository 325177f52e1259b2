#include "core/lab/study/study_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

/// A fact, its key in the files and its name in reports.
struct OriginFact {
  const char* key;
  const char* name;
  std::string StudyRun::*text;
};

constexpr OriginFact kOriginFacts[] = {
    {"date", "Date", &StudyRun::date},          {"program", "Program", &StudyRun::program},
    {"machine", "Machine", &StudyRun::machine}, {"device", "Device", &StudyRun::device},
    {"model", "Model", &StudyRun::model},       {"settings", "Settings", &StudyRun::settings},
    {"prompts", "Prompts", &StudyRun::prompts}, {"seed", "Seed", &StudyRun::seed},
    {"command", "Command", &StudyRun::command}};

/// Throws Json::exception.
StudyRun run_of(const Json& json) {
  StudyRun run;
  for (const OriginFact& fact : kOriginFacts) run.*fact.text = json.at(fact.key).get<std::string>();
  run.all_settings = json.value("all_settings", Json::object());
  return run;
}

std::map<std::string, StudyRun> read_runs(const fs::path& folder) {
  std::map<std::string, StudyRun> runs;
  for (const fs::path& file : study_files(folder, kRunsStem)) {
    std::ifstream stream(file);
    int64_t number = 0;
    for (std::string line; std::getline(stream, line) && !stream.eof();) {
      ++number;
      try {
        StudyRun run = run_of(parse_json<Json>(line));
        runs.insert_or_assign(run_id(run), std::move(run));
      } catch (const nlohmann::json::exception&) {
        fail(ErrorKind::input, fmt::format("{}:{}: not a run of a study", file.string(), number),
             "without this file the report still has all figures");
      }
    }
  }
  return runs;
}

std::string results_text(int64_t count) { return fmt::format("{} {}", count, count == 1 ? "result" : "results"); }

/// "2026-12-01T14:05:00Z" to "2026-12-01".
std::string day_of_run(const StudyRun& run) { return run.date.substr(0, run.date.find('T')); }

/// "2026-12-01", or the first and the last day.
std::string date_text(const StudyOrigin& origin) {
  const std::string first = day_of_run(origin.parts.front().run), last = day_of_run(origin.parts.back().run);
  return first == last ? first : fmt::format("{} to {}", first, last);
}

/// The value of all runs, or each value with the number of its results.
std::string text_of_all(const StudyOrigin& origin, std::string StudyRun::*text) {
  std::vector<std::pair<std::string, int64_t>> values;
  const auto add = [&](const std::string& value, int64_t results) {
    const auto found = std::ranges::find(values, value, &std::pair<std::string, int64_t>::first);
    if (found != values.end()) {
      found->second += results;
    } else {
      values.emplace_back(value, results);
    }
  };
  for (const StudyOrigin::Part& part : origin.parts) add(part.run.*text, part.results);
  if (origin.unknown > 0) add("unknown", origin.unknown);
  if (values.size() == 1) return values.front().first;
  std::vector<std::string> texts;
  for (const auto& [value, results] : values) texts.push_back(fmt::format("{} ({})", value, results_text(results)));
  return fmt::format("{}", fmt::join(texts, "; "));
}

}  // namespace

Json to_json(const StudyRun& run) {
  Json json;
  for (const OriginFact& fact : kOriginFacts) json[fact.key] = run.*fact.text;
  json["all_settings"] = run.all_settings;
  return json;
}

std::string run_id(const StudyRun& run) { return fmt::format("{:016x}", fnv1a(json_text(to_json(run)))); }

void append_run(const fs::path& folder, const Shard& shard, const StudyRun& run) {
  const fs::path file = folder / study_file_name(kRunsStem, shard);
  cut_torn_line(file);
  std::ofstream stream(file, std::ios::app);
  stream << json_text(to_json(run)) << '\n' << std::flush;
  if (!stream) fail(ErrorKind::output, fmt::format("{}: cannot be written", file.string()));
}

StudyOrigin read_origin(const fs::path& folder, const std::vector<StudyRecord>& records) {
  const std::map<std::string, StudyRun> runs = read_runs(folder);
  std::map<std::string, size_t> parts;  // by id
  StudyOrigin origin;
  for (const StudyRecord& record : records) {
    if (!runs.contains(record.run)) {
      ++origin.unknown;
      continue;
    }
    const auto [part, is_new] = parts.try_emplace(record.run, origin.parts.size());
    if (is_new) origin.parts.push_back({runs.at(record.run), 0});
    ++origin.parts[part->second].results;
  }
  std::ranges::stable_sort(origin.parts, {}, [](const StudyOrigin::Part& part) { return part.run.date; });
  return origin;
}

std::vector<OriginLine> origin_lines(const StudyOrigin& origin) {
  if (origin.parts.empty()) {
    return {{"Date, program, machine", "unknown: an earlier version made these results and did not keep it"}};
  }
  std::vector<OriginLine> lines = {{"Date", date_text(origin)}};
  for (const OriginFact& fact : kOriginFacts) {
    if (fact.text != &StudyRun::date) lines.push_back({fact.name, text_of_all(origin, fact.text)});
  }
  return lines;
}

}  // namespace faststar
