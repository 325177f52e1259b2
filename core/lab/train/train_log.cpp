#include "core/lab/train/train_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {

TrainLog::TrainLog(const std::filesystem::path& file) : file_(file) {
  cut_torn_line(file);
  stream_.open(file, std::ios::app);
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written", file.string()));
}

void TrainLog::append(const std::string& line) {
  stream_ << line << "\n" << std::flush;
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written: disk full?", file_.string()));
}

void TrainLog::begin(const TrainCall& call) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"config", call.config}, {"processes", call.processes}, {"settings", call.settings}};
  if (call.from) line["from"] = *call.from;
  append(nlohmann::ordered_json{{"call", line}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void TrainLog::write(const LogEntry& entry) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"stage", entry.stage},
                                 {"step", entry.step},
                                 {"steps", entry.steps},
                                 {"processes", entry.processes},
                                 {"learning_rate", entry.learning_rate},
                                 {"ms_per_step", entry.ms_per_step},
                                 {"gradient_norm", entry.gradient_norm},
                                 {"seconds", entry.seconds}};
  for (const auto& [name, value] : entry.statistics) line[name] = value;
  append(line.dump());
  const double loss = entry.statistics.empty() ? 0 : entry.statistics.front().second;
  log::info("{} {}/{}: loss {:.4f}, {:.1f} ms a step, gradient {:.2f}", entry.stage, entry.step, entry.steps, loss,
            entry.ms_per_step, entry.gradient_norm);
}

namespace {

using Json = nlohmann::json;

TrainCall call_of(const Json& call) {
  TrainCall read{.config = call.at("config"), .from = {}, .processes = call.at("processes"), .settings = {}};
  if (call.contains("from")) read.from = call["from"].get<std::string>();
  if (call.contains("settings")) call["settings"].get_to(read.settings);
  return read;
}

/// A loss that was not finite is null in the log, and so is no number.
StepRecord step_of(const Json& line) {
  return {.step = line.at("step"),
          .processes = line.value("processes", 1),
          .milliseconds = line.at("ms_per_step"),
          .loss = line.at("loss"),
          .seconds = line.at("seconds")};
}

/// Adds what a line says. Throws Json::exception when that is no entry.
void read_line(const std::string& text, TrainRecord& record) {
  const Json line = Json::parse(text);
  if (line.contains("call")) {
    const TrainCall call = call_of(line["call"]);
    if (!call.settings.empty()) record.settings = call.settings;
    if (record.call.config.empty()) record.call = call;
    return;
  }
  const auto name = line.at("stage").get<std::string>();
  const StepRecord step = step_of(line);
  const auto found = std::ranges::find(record.stages, name, &StageRecord::name);
  StageRecord& stage = found == record.stages.end() ? record.stages.emplace_back(StageRecord{name, {}}) : *found;
  stage.entries.push_back(step);
}

}  // namespace

TrainRecord read_train_log(const std::filesystem::path& log) {
  std::ifstream stream(log);
  if (!stream) fail(ErrorKind::input, fmt::format("{}: cannot be read", log.string()), "log.jsonl of a training");
  TrainRecord record;
  for (std::string line; std::getline(stream, line);) {
    try {
      read_line(line, record);
    } catch (const Json::exception&) {
      continue;  // half a line, or figures that are not finite
    }
  }
  return record;
}

}  // namespace faststar
