#include "core/train/train_log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"

namespace faststar {

TrainLog::TrainLog(const std::filesystem::path& file) : file_(file), stream_(file, std::ios::app) {
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written", file.string()));
}

void TrainLog::append(const std::string& line) {
  stream_ << line << "\n" << std::flush;
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written: disk full?", file_.string()));
}

void TrainLog::begin(const TrainCall& call) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"config", call.config}, {"processes", call.processes}};
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

std::optional<TrainCall> call_in(const Json& line) {
  if (!line.contains("call") || !line["call"].is_object()) return std::nullopt;
  const Json& call = line["call"];
  TrainCall read{.config = call.value("config", ""), .from = {}, .processes = call.value("processes", 1)};
  if (call.contains("from")) read.from = call["from"].get<std::string>();
  return read;
}

std::optional<StageRecord> stage_in(const Json& line) {
  for (const char* key : {"step", "ms_per_step", "loss", "seconds"}) {
    if (!line.contains(key) || !line[key].is_number()) return std::nullopt;  // a loss that is not finite is null
  }
  if (!line.contains("stage") || !line["stage"].is_string()) return std::nullopt;
  return StageRecord{.name = line["stage"],
                     .steps = line["step"],
                     .processes = line.value("processes", 1),
                     .milliseconds = line["ms_per_step"],
                     .loss = line["loss"],
                     .seconds = line["seconds"]};
}

}  // namespace

TrainRecord read_train_log(const std::filesystem::path& log) {
  std::ifstream stream(log);
  if (!stream) fail(ErrorKind::input, fmt::format("{}: cannot be read", log.string()), "log.jsonl of a training");
  TrainRecord record;
  for (std::string line; std::getline(stream, line);) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) continue;
    if (const auto call = call_in(json); call && record.call.config.empty()) record.call = *call;
    const auto stage = stage_in(json);
    if (!stage) continue;
    if (record.stages.empty() || record.stages.back().name != stage->name) record.stages.emplace_back();
    record.stages.back() = *stage;
  }
  if (record.stages.empty()) fail(ErrorKind::input, fmt::format("{}: no entry of a training", log.string()));
  return record;
}

}  // namespace faststar
