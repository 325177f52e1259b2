#include "core/lab/verify/fixture_set.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/weights.h"

namespace faststar {
namespace {

/// APG's threshold in every set.
constexpr double kNormThreshold = 0.05;
/// Temperatures of meta.json's runs, which does not name them.
constexpr double kTauImage = 1.0;
constexpr double kTauVideo = 0.4;

Schedule schedule_of(const nlohmann::json& task) {
  std::vector<Scale> scales;
  for (const auto& scale : task.at("scales")) {
    scales.push_back({json_integer<int>(scale.at(0)), json_integer<int>(scale.at(1)), json_integer<int>(scale.at(2))});
  }
  return Schedule(std::move(scales));
}

GuidanceSettings guidance_of(const nlohmann::json& task) {
  const bool apg = json_integer<int>(task.at("apg")) != 0;
  return {.method = apg ? GuidanceMethod::apg : GuidanceMethod::cfg,
          .scale = task.at("cfg"),
          .norm_threshold = kNormThreshold};
}

/// The interactive task has one clip, and so one list and one tau.
StarTask parse_task(const nlohmann::json& task) {
  StarTask parsed{.schedule = schedule_of(task), .settings = {}};
  GenerationSettings& settings = parsed.settings;
  settings.repetitions.image = json_integers<int>(task.at(task.contains("reps") ? "reps" : "reps_i"));
  settings.repetitions.video = json_integers<int>(task.value("reps_v", nlohmann::json::array()));
  settings.semantic_scales = json_integer<int>(task.at("sem"));
  settings.guidance = guidance_of(task);
  settings.tau_image = task.contains("tau") ? task.at("tau").get<double>() : task.value("tau_i", kTauImage);
  settings.tau_video = task.value("tau_v", kTauVideo);
  settings.sampling = Sampling::greedy;
  parsed.detail_scale_min_tokens = json_integer<int64_t>(task, "det", 0);
  parsed.given_steps = json_integer<int>(task, "given_steps", 0);
  parsed.summed_channels = json_integers<int64_t>(task.value("summed_channels", nlohmann::json::array()));
  parsed.frames_stored = json_integers<int64_t>(task.value("frames_stored", nlohmann::json::array()));
  return parsed;
}

StarTask read_task(const nlohmann::json& task, const std::filesystem::path& file) {
  try {
    return parse_task(task);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: {}", file.string(), error.what()));
  }
}

}  // namespace

nlohmann::json read_fixture_json(const std::filesystem::path& path) {
  std::ifstream stream(path);
  if (!stream) fail(ErrorKind::input, fmt::format("{}: cannot be read", path.string()));
  auto json = parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  if (json.is_discarded()) fail(ErrorKind::input, fmt::format("{}: not valid JSON", path.string()));
  return json;
}

Fixture::Fixture(const std::filesystem::path& path) : path_(path) {
  try {
    source_ = open_safetensors(path);
  } catch (const Error& error) {  // data of the set, not a model
    fail(ErrorKind::input, error.what());
  }
}

Tensor Fixture::operator[](const std::string& name) const {
  if (!has(name)) fail(ErrorKind::input, fmt::format("{}: expected a tensor {}, found none", path_.string(), name));
  return source_->read(name, source_->tensors().at(name), at::kCPU);
}

std::string Fixture::step_name(const std::string& prefix, int step) { return fmt::format("{}.{:03}", prefix, step); }

FixtureSet::FixtureSet(std::filesystem::path folder, at::Device device, at::ScalarType dtype, LinearPrecision linears)
    : folder_(std::move(folder)), device_(device), dtype_(dtype), linears_(linears) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder_, ignored)) {
    fail(ErrorKind::input, fmt::format("{}: expected a folder with a fixture set", folder_.string()));
  }
}

bool FixtureSet::has(const std::string& file) const {
  std::error_code ignored;
  return std::filesystem::exists(path(file), ignored);
}

StarTransformer FixtureSet::load_transformer() const {
  const Weights weights(open_checkpoint(path("star_weights")), device_, dtype_);
  StarArchitecture arch = detect_star_architecture(weights);
  arch.linears = linears_;
  return {weights, arch};
}

VideoVae FixtureSet::load_vae(at::ScalarType dtype) const {
  const Weights weights(open_checkpoint(path("vae_weights.pth")), device_, dtype);
  return {weights, detect_vae_architecture(weights)};
}

StarTask FixtureSet::meta_task() const {
  const std::filesystem::path file = path("meta.json");
  return read_task(read_fixture_json(file), file);
}

StarTask FixtureSet::task(const std::string& name) const {
  const auto tasks = read_fixture_json(path("tasks.json"));
  if (!tasks.contains(name)) {
    fail(ErrorKind::input, fmt::format("{}: expected an entry {}, found none", path("tasks.json").string(), name));
  }
  return read_task(tasks.at(name), path("tasks.json"));
}

}  // namespace faststar
