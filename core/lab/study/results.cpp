#include "core/lab/study/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

/// Six decimals; of lists of milliseconds three.
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

/// The times that parts_json wrote.
std::vector<PartTimes> parse_parts(const nlohmann::ordered_json& json) {
  std::vector<PartTimes> by_scale(json.at(std::string(kPassPartNames.front())).size());
  for (size_t part = 0; part < kLonePassParts; ++part) {
    const nlohmann::ordered_json& scales = json.at(std::string(kPassPartNames[part]));
    for (size_t scale = 0; scale < by_scale.size(); ++scale) by_scale[scale].ms[part] = scales.at(scale).get<double>();
  }
  return by_scale;
}

Json pass_json(const ReducedPassRecord& pass) {
  Json json = {{"scale", pass.scale}, {"repetition", pass.repetition}, {"tokens", pass.tokens}, {"kept", pass.kept}};
  put(json, "spatial", pass.spatial);
  put(json, "temporal", pass.temporal);
  put(json, "pruned_again", pass.pruned_again);
  return json;
}

ReducedPassRecord parse_pass(const Json& json) {
  ReducedPassRecord pass{.scale = json_integer<int>(json.at("scale")),
                         .repetition = json_integer<int>(json.at("repetition")),
                         .tokens = json_integer<int64_t>(json.at("tokens")),
                         .kept = json_integer<int64_t>(json.at("kept")),
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
                     .run = json.value("run", std::string()),
                     .prompt = json_integer<int64_t>(json.at("prompt")),
                     .text = json.at("text").get<std::string>(),
                     .seed = json_integer<uint64_t>(json.at("seed")),
                     .variant = json.at("variant").get<std::string>(),
                     .settings = json.at("settings").get<VariantTexts>(),
                     .tokens = json_integer<int64_t>(json.at("tokens")),
                     .kept = json_integer<int64_t>(json.at("kept")),
                     .guidance = {},
                     .text_ms = json.at("text_ms").get<double>(),
                     .decode_ms = json.at("decode_ms").get<double>(),
                     .scale_ms = json.at("scale_ms").get<std::vector<double>>(),
                     .part_ms = json.contains("part_ms") ? parse_parts(json.at("part_ms")) : std::vector<PartTimes>(),
                     .scales = {},
                     .high_frequency = json.value("high_frequency", std::vector<double>()),
                     .flipped = json.value("flipped", std::vector<double>()),
                     .passes = {},
                     .from_dense = {},
                     .seen = {},
                     .given_dense = {},
                     .given_truth = {},
                     .continued = {},
                     .frames = json.value("frames", std::string())};
  const double kept_share = static_cast<double>(record.kept) / static_cast<double>(std::max<int64_t>(record.tokens, 1));
  record.guidance = {.one_row_passes = json_integer<int64_t>(json, "one_row_passes", 0),
                     .one_row_tokens = json_integer<int64_t>(json, "one_row_tokens", 0),
                     .work = json.value("work", kept_share)};
  for (const Json& scale : json.value("scales", Json::array())) {
    record.scales.push_back(
        {json_integer<int>(scale.at(0)), json_integer<int>(scale.at(1)), json_integer<int>(scale.at(2))});
  }
  for (const Json& pass : json.value("passes", Json::array())) record.passes.push_back(parse_pass(pass));
  get(json, "from_dense", record.from_dense);
  get(json, record.seen);
  get(json, "given_dense", record.given_dense);
  get(json, "given_truth", record.given_truth);
  get(json, "continued", record.continued);
  return record;
}

constexpr std::string_view kEnding = ".jsonl";

void read_file(const fs::path& file, std::vector<StudyRecord>& records) {
  std::ifstream stream(file);
  int64_t number = 0;
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    const std::string where = fmt::format("{}:{}", file.string(), ++number);
    records.push_back(parse_record(line, where));
    if (records.back().setup == records.front().setup) continue;
    fail(ErrorKind::input, fmt::format("{}: made with another setup than the results before it", where),
         "use one folder per study");
  }
}

[[noreturn]] void refuse(const fs::path& folder, const std::string& difference) {
  fail(ErrorKind::usage, fmt::format("{}: this study was started with {}", folder.string(), difference),
       "use another folder for --out, or the settings of the first run");
}

}  // namespace

std::string study_file_name(std::string_view stem, const Shard& shard) {
  return shard.count == 1 ? fmt::format("{}{}", stem, kEnding) : fmt::format("{}-{}{}", stem, shard.index + 1, kEnding);
}

std::vector<fs::path> study_files(const fs::path& folder, std::string_view stem) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(stem) && name.ends_with(kEnding)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

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
               {"one_row_passes", record.guidance.one_row_passes},
               {"one_row_tokens", record.guidance.one_row_tokens},
               {"work", rounded(record.guidance.work)},
               {"text_ms", rounded(record.text_ms)},
               {"decode_ms", rounded(record.decode_ms)},
               {"scale_ms", rounded(record.scale_ms)}};
  if (!record.part_ms.empty()) json["part_ms"] = parts_json(record.part_ms);
  for (const Scale& scale : record.scales) json["scales"].push_back({scale.t, scale.h, scale.w});
  if (!record.high_frequency.empty()) json["high_frequency"] = record.high_frequency;
  if (!record.flipped.empty()) json["flipped"] = record.flipped;
  for (const ReducedPassRecord& pass : record.passes) json["passes"].push_back(pass_json(pass));
  put(json, "from_dense", record.from_dense);
  put(json, record.seen);
  put(json, "given_dense", record.given_dense);
  put(json, "given_truth", record.given_truth);
  put(json, "continued", record.continued);
  if (!record.run.empty()) json["run"] = record.run;
  if (!record.frames.empty()) json["frames"] = record.frames;
  return json_text(json);
}

StudyRecord parse_record(const std::string& line, const std::string& where) {
  try {
    return record_of(parse_json<Json>(line));
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::input, fmt::format("{}: not a result of a study", where));
  }
}

nlohmann::ordered_json parts_json(const std::vector<PartTimes>& by_scale) {
  nlohmann::ordered_json json;
  for (size_t part = 0; part < kLonePassParts; ++part) {
    nlohmann::ordered_json& scales = json[std::string(kPassPartNames[part])] = nlohmann::ordered_json::array();
    for (const PartTimes& times : by_scale) scales.push_back(std::round(times.ms[part] * 1e3) / 1e3);
  }
  return json;
}

std::vector<StudyRecord> read_results(const fs::path& folder) {
  std::vector<StudyRecord> records;
  for (const fs::path& file : study_files(folder, kResultsStem)) read_file(file, records);
  return records;
}

ResultsFile::ResultsFile(fs::path folder, const Shard& shard, const std::string& setup,
                         const std::vector<StudyPrompt>& prompts, const std::vector<StudyVariant>& variants)
    : folder_(std::move(folder)), file_(folder_ / study_file_name(kResultsStem, shard)) {
  make_folders(folder_);
  locks_.emplace(folder_ / ".lock");
  auto held = locks_->try_lock(file_.filename().string());
  if (!held) fail(ErrorKind::output, fmt::format("{}: another process is writing it", file_.string()));
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
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: write failed: disk full?", file_.string()));
  done_.insert({record.prompt, record.variant});
}

}  // namespace faststar
