#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/config/preset.h"
#include "core/config/reduction.h"
#include "core/config/resolve.h"
#include "core/config/yaml.h"
#include "core/lab/study/inputs.h"
#include "core/lab/train/train_settings.h"
#include "core/pipeline/request.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

std::string config_of(const std::string& name) { return bytes_in(preset_file(name)); }

/// Settings of the embedded model with a user's files on top.
Settings with_files(const ConfigChain& chain) {
  static const Settings standard = read_preset(preset_file("tiny")).settings;
  Settings settings = standard;
  apply_config_files(chain, settings);
  return settings;
}

/// A user's file: applied, saved and loaded.
void read_settings(std::string_view bytes) {
  Settings settings = with_files(follow_config(scratch_file("settings.yaml", bytes).string()));
  const std::string saved = config_yaml(settings.config, "");
  try {
    const Settings loaded = with_files({.preset = {}, .files = {scratch_file("saved.yaml", saved)}});
    require(config_yaml(loaded.config, "") == saved, "settings are others after they were saved and loaded");
  } catch (const Error& error) {
    throw std::logic_error(fmt::format("saved settings cannot be loaded: {}", error.what()));
  }
  config_json(settings.config);
  settle_prompt_source(settings);
  settle_reduction(settings);
}

std::vector<std::string> settings_files() {
  return {
      "base: tiny\ngenerate:\n  duration: 2\n  aspect: 16:9\nguidance: {guidance: 4.5, guidance_reuse: late}\n"
      "reduction:\n  method: faststar\n  ratios: [0.1, 0.2]\n  scales: last2\n  faststar:\n    p: inf\n",
      config_of("faststar-720p"), config_yaml(with_files({}).config, "")};
}

/// The same file as --config of a run without weights: everything that is decided before they load.
void plan_run(std::string_view bytes) {
  const auto file = scratch_file("config.yaml", bytes);
  ResolvedSettings resolved = resolve_settings({.flags = {{"random_weights", "true"},
                                                          {"device", "cpu"},
                                                          {"prompt", "a red ball"},
                                                          {"seed", "1"},
                                                          {"count", "1"},
                                                          {"output", scratch_name("v.mp4").string()}},
                                                .config = file.string()});
  describe(make_request(Task::text_to_video, resolved));
}

void read_model_preset(std::string_view bytes) {
  const ModelPreset preset = read_preset(scratch_file("model.yaml", bytes));
  check_video_size(preset, preset.settings);
}

void read_training_recipe(std::string_view bytes) {
  for (const RecipeStage& stage : read_recipe(scratch_file("recipe.yaml", bytes))) {
    setting_texts(stage.settings);
    make_train_plan(stage.settings);
  }
}

void read_study(std::string_view bytes) {
  const StudyFile study = read_study_file(scratch_file("study.yaml", bytes), Settings());
  pick_variants(study.variants, "");
}

std::vector<std::string> presets() {
  const auto file = preset_file("tiny");
  return {bytes_in(file), config_of("720p"), config_of("480p-interact")};
}

std::vector<std::string> studies() {
  return {config_of("study-reduction"), config_of("study-guidance-reuse"),
          "world: {two_objects: 0.5}\nvariants:\n  a: {method: skip, ratios: 0.5}\n  b: {guidance_reuse: late}\n"};
}

}  // namespace

std::vector<Target> config_targets() {
  return {
      {"settings", read_settings, settings_files},
      {"config", plan_run, settings_files},
      {"preset", read_model_preset, presets},
      {"recipe", read_training_recipe, [] { return std::vector{config_of("train-tiny")}; }},
      {"study-file", read_study, studies},
  };
}

}  // namespace faststar::fuzz
