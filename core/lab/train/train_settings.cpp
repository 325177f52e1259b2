#include "core/lab/train/train_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>
#include <optional>

#include "core/base/error.h"
#include "core/config/preset.h"
#include "core/config/yaml.h"
#include "core/lab/train/star_data.h"
#include "core/lab/world/scene.h"
#include "core/pipeline/request.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> section_names(const TrainSettings& settings) {
  std::vector<std::string> names;
  visit_sections(settings, [&](std::string_view name, const auto&) { names.emplace_back(name); });
  return names;
}

/// Calls `visit` with each phase of `settings`.
template <typename Settings, typename Visitor>
void visit_phases(Settings& settings, Visitor&& visit) {
  visit_sections(settings, [&]<typename Section>(std::string_view, Section& section) {
    if constexpr (requires { section.steps; }) visit(section);
  });
}

/// Checks settings against each other, and that a phase has those that it needs.
class SettingsCheck {
 public:
  /// `where`: the file, and the stage in it.
  explicit SettingsCheck(std::string where) : where_(std::move(where)) {}

  void operator()(const TrainSettings& settings) const {
    visit_sections(settings, [&](std::string_view name, const auto& section) { check(std::string(name), section); });
    int64_t steps = 0;
    visit_phases(settings, [&](const auto& phase) { steps += phase.steps; });
    if (steps == 0) fail(ErrorKind::usage, fmt::format("{}: nothing to train: no phase has steps", where_));
  }

 private:
  void check(const std::string& name, const OptimizerSettings& optimizer) const {
    expect(optimizer.beta1 < 1, name, "beta1", "less than 1", optimizer.beta1);
    expect(optimizer.beta2 < 1, name, "beta2", "less than 1", optimizer.beta2);
  }

  void check(const std::string& name, const VaePhaseSettings& phase) const {
    if (phase.steps == 0) return;
    expect(phase.batch > 0, name, "batch", "clips a step", phase.batch);
    expect_edge(name, "height", phase.height, kWorldHeight);
    expect_edge(name, "width", phase.width, kWorldWidth);
    expect(phase.frames > 4 && phase.frames % 4 == 1, name, "frames", "4 n + 1", phase.frames);
    expect(phase.learning_rate.start > 0, name, "learning_rate", "more than 0", phase.learning_rate.start);
  }

  void check(const std::string& name, const StarPhaseSettings& phase) const {
    if (phase.steps == 0) return;
    expect(phase.batch > 0 && phase.batch % kBlockClips == 0, name, "batch",
           fmt::format("a multiple of {}", kBlockClips), phase.batch);
    expect(phase.first_clips >= phase.batch, name, "first_clips", fmt::format("at least the batch, {}", phase.batch),
           phase.first_clips);
    expect(phase.capacity >= phase.batch, name, "capacity", fmt::format("at least the batch, {}", phase.batch),
           phase.capacity);
    expect(phase.learning_rate.start > 0, name, "learning_rate", "more than 0", phase.learning_rate.start);
  }

  template <typename Section>
  void check(const std::string&, const Section&) const {}

  void expect_edge(const std::string& name, const char* key, int pixels, int64_t max) const {
    expect(pixels > 0 && pixels % kPixelsPerFeature == 0 && pixels <= max, name, key,
           fmt::format("a multiple of {} up to {}", kPixelsPerFeature, max), pixels);
  }

  template <typename Value>
  void expect(bool holds, const std::string& section, const char* key, std::string_view expected,
              const Value& got) const {
    if (holds) return;
    fail(ErrorKind::usage, fmt::format("{}: {}.{}: expected {}, got {}", where_, section, key, expected, got));
  }

  std::string where_;
};

ModelPreset preset_of(const RunSettings& run) {
  const fs::path file = file_or_preset(run.model);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("run.model: {}: no such file and no such preset", run.model));
  ModelPreset preset = read_preset(file);
  if (!preset.architecture) {
    fail(ErrorKind::usage, fmt::format("{}: training needs an `architecture:` section", file.string()));
  }
  return preset;
}

PyramidShape pyramid_of(const ModelPreset& preset) {
  const Config& config = preset.settings.config;
  const auto [width, height] = config.generate.aspect;
  const double key = nearest_aspect_key(static_cast<double>(height) / width);
  const ScheduleConfig& schedule = config.schedule;
  if (schedule.repetitions.image != schedule.repetitions.video) {
    fail(ErrorKind::usage, fmt::format("{}: training needs equal repetitions of image and video clips: their frames "
                                       "are quantised together",
                                       preset.file.string()));
  }
  const std::string pn = pn_of(config.generate.resolution);
  make_schedule(key, pn, 2, 1).steps(schedule.repetitions);  // refuses bad lists
  PyramidShape pyramid{.scales = image_scales(key, pn),
                       .repetitions = schedule.repetitions.image,
                       .semantic_scales = schedule.semantic_scales};
  const Scale& full = pyramid.scales.back();
  if (full.h * kPixelsPerFeature != kWorldHeight || full.w * kPixelsPerFeature != kWorldWidth) {
    fail(ErrorKind::usage,
         fmt::format("{}: training needs {}x{} pixels, the size of its clips, got {}x{}", preset.file.string(),
                     kWorldWidth, kWorldHeight, full.w * kPixelsPerFeature, full.h * kPixelsPerFeature));
  }
  if (pyramid.semantic_scales > static_cast<int>(pyramid.scales.size())) {
    fail(ErrorKind::usage, fmt::format("{}: semantic_scales: expected at most {}, got {}", preset.file.string(),
                                       pyramid.scales.size(), pyramid.semantic_scales));
  }
  return pyramid;
}

/// Settings that the preset does not allow.
void check_against_preset(const TrainSettings& settings, const PyramidShape& pyramid, const ModelPreset& preset) {
  if (settings.vae_noise.fewest_kept > pyramid.iterations()) {
    fail(ErrorKind::usage, fmt::format("vae_noise.fewest_kept: expected at most {}, the iterations of {}, got {}",
                                       pyramid.iterations(), preset.file.string(), settings.vae_noise.fewest_kept));
  }
  for (const StarPhaseSettings* phase : {&settings.star_short, &settings.star_long}) {
    if (phase->steps == 0 || !phase->half_clip || preset.latents_per_clip % 2 == 0) continue;
    fail(ErrorKind::usage, fmt::format("half_clip: expected clips of an even number of latent frames, {} has {}",
                                       preset.file.string(), preset.latents_per_clip));
  }
}

/// Reads the sections of a mapping into `settings`; other keys go to `other`, which returns false for those that it
/// does not know either. `parent`: what the mapping is called in messages; empty: the file.
template <typename Other>
void read_sections(const YamlDocument& document, const std::vector<YamlEntry>& entries, const std::string& parent,
                   TrainSettings& settings, Other&& other) {
  for (const YamlEntry& entry : entries) {
    bool known = false;
    visit_sections(settings, [&](std::string_view name, auto& fields) {
      if (name != entry.key) return;
      known = true;
      const auto is_obsolete = [&](const YamlEntry& key) {
        return name == "world" && is_obsolete_world_setting(key.key, node_text(key.value));
      };
      const std::string section = parent.empty() ? entry.key : fmt::format("{}.{}", parent, entry.key);
      read_fields(document, entry.value, section, fields, is_obsolete, [](const Field&, const Origin&) {});
    });
    if (!known && !other(entry)) document.fail_unknown(entry, parent, section_names(settings));
  }
}

/// Names of stages become names of folders.
void check_stage_name(const YamlDocument& document, const YamlEntry& entry) {
  const bool plain =
      std::ranges::all_of(entry.key, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (plain && !entry.key.empty()) return;
  fail(ErrorKind::usage, fmt::format("{}: stages: expected names of letters, digits, - and _, got {}",
                                     document.where(entry.key_node), entry.key));
}

RecipeStage read_stage(const YamlDocument& document, const YamlEntry& entry, const TrainSettings& common,
                       const std::vector<RecipeStage>& before) {
  check_stage_name(document, entry);
  const std::string section = "stages." + entry.key;
  const std::vector<YamlEntry> entries = document.entries(entry.value, section);
  RecipeStage stage{.name = entry.key, .from = {}, .settings = common};
  if (const auto from = std::ranges::find(entries, "from", &YamlEntry::key); from != entries.end()) {
    stage.from = from->value.IsScalar() ? from->value.Scalar() : "";
    const auto start = std::ranges::find(before, stage.from, &RecipeStage::name);
    if (start == before.end()) {
      fail(ErrorKind::usage, fmt::format("{}: {}.from: expected a stage above it, got {}",
                                         document.where(from->key_node), section, node_text(from->value)));
    }
    stage.settings = start->settings;
  }
  visit_phases(stage.settings, [](auto& phase) { phase.steps = 0; });
  read_sections(document, entries, section, stage.settings, [](const auto& key) { return key.key == "from"; });
  return stage;
}

}  // namespace

double LearningRate::at(int64_t step, int64_t steps) const {
  const double done = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps, 1));
  const double cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * done);
  return (end + (start - end) * cosine) * std::min(1.0, static_cast<double>(step + 1) / warmup);
}

const StarPhaseSettings& last_star_phase(const TrainSettings& settings) {
  return settings.star_long.steps > 0 ? settings.star_long : settings.star_short;
}

std::map<std::string, std::string> setting_texts(const TrainSettings& settings) {
  std::map<std::string, std::string> texts;
  visit_sections(settings, [&](std::string_view name, const auto& section) {
    visit_fields(section, [&](const Field& field, const auto& value) {
      texts[fmt::format("{}.{}", name, field.name)] = value_text(value);
    });
  });
  return texts;
}

std::vector<RecipeStage> read_recipe(const fs::path& file) {
  const YamlDocument document(file);
  RecipeStage common;
  std::optional<YamlEntry> stages;
  read_sections(document, document.entries(document.root(), "the file"), "", common.settings, [&](const auto& entry) {
    if (entry.key == "stages") stages = entry;
    return stages.has_value();
  });
  std::vector<RecipeStage> recipe;
  if (stages) {
    for (const YamlEntry& entry : document.entries(stages->value, "stages")) {
      recipe.push_back(read_stage(document, entry, common.settings, recipe));
    }
  }
  if (recipe.empty()) recipe.push_back(std::move(common));
  for (const RecipeStage& stage : recipe) {
    SettingsCheck(stage.name.empty() ? file.string()
                                     : fmt::format("{}: stages.{}", file.string(), stage.name))(stage.settings);
  }
  return recipe;
}

std::vector<RecipeStage> find_recipe(const std::string& name_or_file) {
  const fs::path file = file_or_preset(name_or_file);
  if (!file.empty()) return read_recipe(file);
  constexpr std::string_view kFormerStages = "train-tiny-";
  if (name_or_file.starts_with(kFormerStages)) {
    fail(ErrorKind::usage, fmt::format("{}: this recipe is a stage of train-tiny now", name_or_file),
         fmt::format("train-tiny with --stage {}", name_or_file.substr(kFormerStages.size())));
  }
  fail(ErrorKind::usage, fmt::format("{}: no such training recipe, neither a name nor a file", name_or_file));
}

const RecipeStage& find_stage(const std::vector<RecipeStage>& recipe, const std::string& name) {
  if (name.empty()) return recipe.back();
  const auto found = std::ranges::find(recipe, name, &RecipeStage::name);
  if (found != recipe.end()) return *found;
  if (recipe.front().name.empty()) fail(ErrorKind::usage, fmt::format("--stage {}: the recipe has no stages", name));
  std::vector<std::string> names;
  for (const RecipeStage& stage : recipe) names.push_back(stage.name);
  fail(ErrorKind::usage, fmt::format("--stage {}: expected one of {}", name, fmt::join(names, ", ")));
}

TrainPlan make_train_plan(const TrainSettings& settings) {
  const ModelPreset preset = preset_of(settings.run);
  const ModelSizes& sizes = *preset.architecture;
  const PyramidShape pyramid = pyramid_of(preset);
  check_against_preset(settings, pyramid, preset);
  const Config& config = preset.settings.config;
  TrainPlan plan{.preset = preset,
                 .vae = {.architecture = sizes.vae,
                         .pyramid = pyramid,
                         .loss = settings.vae_loss,
                         .noise = settings.vae_noise,
                         .sample_frames = frames_of_latents(1 + preset.latents_per_clip)},
                 .star = {.star = sizes.transformer,
                          .t5 = sizes.text_encoder,
                          .pyramid = pyramid,
                          .latents_per_clip = preset.latents_per_clip,
                          .loss = settings.star_loss,
                          .noise = settings.star_noise},
                 .generation = generation_settings(config),
                 .longest_text = config.prompt.text_limit};
  plan.generation.attention = AttentionBackend::aten;
  return plan;
}

}  // namespace faststar
