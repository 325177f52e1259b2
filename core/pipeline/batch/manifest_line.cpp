#include "core/pipeline/batch/manifest_line.h"

#include <fmt/chrono.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

std::string now_utc() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

Json seconds_json(const ItemResult& result) {
  Json seconds = Json::object();
  for (const auto& [stage, value] : result.seconds) seconds[stage] = std::round(value * 1e3) / 1e3;
  return seconds;
}

}  // namespace

std::string to_line(const ManifestRecord& record) {
  Json json;
  json["file"] = record.file;
  json["status"] = record.finished ? "finished" : "failed";
  json["prompt_en"] = record.prompt_en;
  json["prompt"] = record.result.prompt;
  json["seed"] = record.seed;
  json["settings"] = record.settings_hash;
  if (record.finished) {
    json["bytes"] = record.bytes;
    json["seconds"] = seconds_json(record.result);
    json["peak_bytes"] = record.result.peak_bytes;
    json["text_cut"] = record.result.text_cut;
    json["device"] = record.result.device;
  } else {
    json["error"] = record.error;
  }
  json["time"] = now_utc();
  json["version"] = FASTSTAR_VERSION;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<ManifestRecord> parse_line(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  try {
    ManifestRecord record;
    record.file = json.at("file").get<std::string>();
    record.finished = json.at("status").get<std::string>() == "finished";
    record.prompt_en = json.at("prompt_en").get<std::string>();
    record.result.prompt = json.at("prompt").get<std::string>();
    record.seed = json.at("seed").get<int64_t>();
    record.settings_hash = json.at("settings").get<std::string>();
    record.bytes = json.value("bytes", int64_t{0});
    record.result.text_cut = json.value("text_cut", false);
    record.error = json.value("error", "");
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace faststar
