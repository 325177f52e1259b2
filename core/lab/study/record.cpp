#include "core/lab/study/record.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/error.h"
#include "core/lab/study/part_json.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// Microseconds and six digits are all that a reader can use.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }
std::vector<double> rounded(std::vector<double> values) {
  for (double& value : values) value = std::round(value * 1e3) / 1e3;
  return values;
}

void put(Json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = rounded(*value);
}

void get(const Json& json, const char* key, std::optional<double>& value) {
  if (json.contains(key)) value = json.at(key).get<double>();
}

void put(Json& json, const char* key, const std::optional<ClipDistance>& distance) {
  if (!distance) return;
  Json& object = json[key] = {{"mse", distance->mse}, {"ssim", rounded(distance->ssim)}};
  put(object, "psnr_mean", distance->psnr_mean);
}

void get(const Json& json, const char* key, std::optional<ClipDistance>& distance) {
  if (!json.contains(key)) return;
  const Json& object = json.at(key);
  distance = {.mse = object.at("mse").get<double>(), .psnr_mean = {}, .ssim = object.at("ssim").get<double>()};
  get(object, "psnr_mean", distance->psnr_mean);
}

void put(Json& json, const std::optional<SeenAttributes>& seen) {
  if (!seen) return;
  json["seen"] = {
      {"background", seen->background}, {"objects", seen->objects}, {"motion", seen->motion}, {"all", seen->all}};
}

void get(const Json& json, std::optional<SeenAttributes>& seen) {
  if (!json.contains("seen")) return;
  const Json& object = json.at("seen");
  seen = {.background = object.at("background").get<bool>(),
          .objects = object.at("objects").get<bool>(),
          .motion = object.at("motion").get<bool>(),
          .all = object.at("all").get<bool>()};
}

Json pass_json(const ReducedPassRecord& pass) {
  Json json = {{"scale", pass.scale}, {"repetition", pass.repetition}, {"tokens", pass.tokens}, {"kept", pass.kept}};
  put(json, "spatial", pass.spatial);
  put(json, "temporal", pass.temporal);
  put(json, "pruned_again", pass.pruned_again);
  return json;
}

ReducedPassRecord parse_pass(const Json& json) {
  ReducedPassRecord pass{.scale = json.at("scale").get<int>(),
                         .repetition = json.at("repetition").get<int>(),
                         .tokens = json.at("tokens").get<int64_t>(),
                         .kept = json.at("kept").get<int64_t>(),
                         .spatial = {},
                         .temporal = {},
                         .pruned_again = {}};
  get(json, "spatial", pass.spatial);
  get(json, "temporal", pass.temporal);
  get(json, "pruned_again", pass.pruned_again);
  return pass;
}

StudyRecord record_of(const Json& json) {
  StudyRecord record{.setup = json.at("setup").get<std::string>(),
                     .prompt = json.at("prompt").get<int64_t>(),
                     .text = json.at("text").get<std::string>(),
                     .seed = json.at("seed").get<uint64_t>(),
                     .variant = json.at("variant").get<std::string>(),
                     .settings = json.at("settings").get<ReductionTexts>(),
                     .tokens = json.at("tokens").get<int64_t>(),
                     .kept = json.at("kept").get<int64_t>(),
                     .text_ms = json.at("text_ms").get<double>(),
                     .decode_ms = json.at("decode_ms").get<double>(),
                     .scale_ms = json.at("scale_ms").get<std::vector<double>>(),
                     .part_ms = json.contains("part_ms") ? parse_parts(json.at("part_ms")) : std::vector<PartTimes>(),
                     .scales = {},
                     .high_frequency = json.value("high_frequency", std::vector<double>()),
                     .passes = {},
                     .from_dense = {},
                     .seen = {},
                     .given_dense = {},
                     .given_truth = {}};
  for (const Json& scale : json.value("scales", Json::array())) {
    record.scales.push_back({scale.at(0).get<int>(), scale.at(1).get<int>(), scale.at(2).get<int>()});
  }
  for (const Json& pass : json.value("passes", Json::array())) record.passes.push_back(parse_pass(pass));
  get(json, "from_dense", record.from_dense);
  get(json, record.seen);
  get(json, "given_dense", record.given_dense);
  get(json, "given_truth", record.given_truth);
  return record;
}

}  // namespace

double StudyRecord::backbone_ms() const { return std::accumulate(scale_ms.begin(), scale_ms.end(), 0.0); }

std::string to_json_line(const StudyRecord& record) {
  Json json = {{"setup", record.setup},
               {"prompt", record.prompt},
               {"text", record.text},
               {"seed", record.seed},
               {"variant", record.variant},
               {"settings", record.settings},
               {"tokens", record.tokens},
               {"kept", record.kept},
               {"text_ms", rounded(record.text_ms)},
               {"decode_ms", rounded(record.decode_ms)},
               {"scale_ms", rounded(record.scale_ms)}};
  if (!record.part_ms.empty()) json["part_ms"] = parts_json(record.part_ms);
  for (const Scale& scale : record.scales) json["scales"].push_back({scale.t, scale.h, scale.w});
  if (!record.high_frequency.empty()) json["high_frequency"] = record.high_frequency;
  for (const ReducedPassRecord& pass : record.passes) json["passes"].push_back(pass_json(pass));
  put(json, "from_dense", record.from_dense);
  put(json, record.seen);
  put(json, "given_dense", record.given_dense);
  put(json, "given_truth", record.given_truth);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

StudyRecord parse_record(const std::string& line, const std::string& where) {
  try {
    return record_of(Json::parse(line));
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::input, fmt::format("{}: expected a result of a study, got something else", where));
  }
}

}  // namespace faststar
