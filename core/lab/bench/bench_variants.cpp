#include "core/lab/bench/bench_variants.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {
namespace {

constexpr const char* kBenchPrompt = "a red ball bouncing on a blue striped background";
constexpr const char* kBenchSeed = "1";

/// The flags of every run: one file, which the next run replaces.
SettingsRequest run_settings(SettingsRequest settings, const std::filesystem::path& file) {
  settings.remembered.try_emplace("prompt", kBenchPrompt);
  settings.remembered.try_emplace("seed", kBenchSeed);
  settings.flags["count"] = "1";
  settings.flags["output"] = file.string();
  settings.flags["overwrite"] = "true";
  return settings;
}

/// What tables call a preset or a file.
std::string short_name(const std::string& config) {
  const std::filesystem::path file = config;
  const bool is_file = file.extension() == ".yaml" || file.extension() == ".yml";
  return is_file ? file.stem().string() : config;
}

BenchCandidate candidate(const std::string& config, const SettingsRequest& settings) {
  BenchCandidate made{.name = short_name(config), .resolved = resolve_settings(settings), .request = {}};
  if (config.empty()) made.name = made.resolved.model.preset.name;
  OutputConfig& output = made.resolved.settings.config.output;
  // A configuration file may ask for more than the video.
  output.frames_dir.reset();
  output.save_codes.reset();
  output.preview.reset();
  output.trace.reset();
  made.request = make_request(Task::text_to_video, made.resolved);
  return made;
}

/// The suffix of a video's file as the settings want it.
const char* file_suffix(const SettingsRequest& settings) {
  return resolve_settings(settings).settings.config.output.encoding.lossless ? ".mkv" : ".mp4";
}

void check_same_model(const Model& model, const BenchCandidate& first, const BenchCandidate& other) {
  const ModelPreset& preset = other.request.setup.model.preset;
  const auto refuse = [&](const std::string& why) {
    fail(ErrorKind::usage, fmt::format("--against {}: {}, but all variants run on one model", other.name, why),
         "measure it in a run of its own");
  };
  if (dtype_of(other.request.setup.precision) != dtype_of(first.request.setup.precision)) {
    refuse(fmt::format("expected a precision like that of {}, {}, got {}", first.name,
                       choice_name(first.request.setup.precision), choice_name(other.request.setup.precision)));
  }
  if (preset.file == first.request.setup.model.preset.file) return;
  const Checkpoints& checkpoints = model.checkpoints();
  if (!preset.architecture) refuse(fmt::format("{} does not say the sizes of its networks", preset.name));
  StarArchitecture star = preset.architecture->transformer;
  star.norm_weights = checkpoints.star_architecture.norm_weights;
  star.linears = checkpoints.star_architecture.linears;
  star.chunks = checkpoints.star_architecture.chunks;  // names of layers, not their sizes
  if (star != checkpoints.star_architecture || preset.architecture->vae != checkpoints.vae_architecture) {
    refuse(fmt::format("{} has networks of other sizes than {}", preset.name, first.request.setup.model.preset.name));
  }
}

}  // namespace

std::vector<BenchCandidate> bench_candidates(const SettingsRequest& settings, const std::vector<std::string>& against,
                                             const std::filesystem::path& folder) {
  const auto file = [&](const SettingsRequest& chosen, size_t index) {
    return folder / fmt::format("{}{}", index, file_suffix(chosen));
  };
  std::vector<BenchCandidate> candidates = {candidate(settings.config, run_settings(settings, file(settings, 0)))};
  for (const std::string& other : against) {
    SettingsRequest changed = settings;
    changed.config = other;
    try {
      // Without a preset of its own it has the model of the first.
      if (follow_config(other).preset) changed.flags["random_weights"] = "true";
      candidates.push_back(candidate(other, run_settings(changed, file(changed, candidates.size()))));
    } catch (const Error& error) {
      fail(error.kind(), fmt::format("--against {}: {}", other, error.what()), error.hint());
    }
  }
  return candidates;
}

ModelSetup shared_setup(const std::vector<BenchCandidate>& candidates) {
  ModelSetup setup = candidates.front().request.setup;
  for (const BenchCandidate& other : candidates) {
    if (other.request.setup.linears != setup.linears) setup.linears = LinearPrecision::both;
  }
  return setup;
}

std::vector<BenchVariant> plan_variants(Model& model, std::vector<BenchCandidate> candidates) {
  for (const BenchCandidate& other : candidates) check_same_model(model, candidates.front(), other);
  const std::shared_ptr<ProcessGroup> all = model.setup().group;
  std::vector<std::shared_ptr<ProcessGroup>> groups = {all};
  if (all->size() > 1) groups.insert(groups.begin(), std::make_shared<ProcessGroup>());
  std::vector<BenchVariant> variants;
  for (const BenchCandidate& one : candidates) {
    const Request& request = one.request;
    log::info("{}: {}x{}, {} frames", one.name, request.size.width, request.size.height, request.size.frames);
    for (const auto& group : groups) {
      Pipeline pipeline(model);
      pipeline.set_group(group);
      const std::string devices =
          groups.size() == 1 ? "" : fmt::format(", {} device{}", group->size(), group->size() > 1 ? "s" : "");
      variants.push_back({.name = one.name + devices,
                          .plan = make_plan(pipeline, request),
                          .kernels = one.resolved.settings.config.runtime.kernels,
                          .group = group});
    }
  }
  return variants;
}

}  // namespace faststar
