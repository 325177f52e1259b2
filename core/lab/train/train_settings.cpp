#include "core/lab/train/train_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/error.h"
#include "core/config/installation.h"
#include "core/config/yaml_document.h"
#include "core/lab/train/caption_blocks.h"
#include "core/lab/world/scene.h"

namespace faststar {
namespace {

std::vector<std::string> section_names(const TrainSettings& settings) {
  std::vector<std::string> names;
  visit_sections(settings, [&](std::string_view name, const auto&) { names.emplace_back(name); });
  return names;
}

/// What no single value tells: settings that do not go together, and those that a stage cannot do without.
class SettingsCheck {
 public:
  explicit SettingsCheck(std::string file) : file_(std::move(file)) {}

  void operator()(const TrainSettings& settings) const {
    visit_sections(settings, [&](std::string_view name, const auto& section) { check(std::string(name), section); });
    int64_t steps = 0;
    visit_sections(settings, [&]<typename Section>(std::string_view, const Section& section) {
      if constexpr (requires { section.steps; }) steps += section.steps;
    });
    if (steps == 0) fail(ErrorKind::usage, fmt::format("{}: nothing to train: no stage has steps", file_));
  }

 private:
  void check(const std::string& name, const WorldSettings& world) const {
    if (world.wording == Wording::rich) return;
    expect(world.scenes == SceneRange::study, name, "scenes", "study, as the study's wording has no words for more",
           choice_name(world.scenes));
    expect(world.camera_pan == 0, name, "camera_pan", "0, as the study's wording has no words for it",
           world.camera_pan);
  }

  void check(const std::string& name, const OptimizerSettings& optimizer) const {
    expect(optimizer.beta1 < 1, name, "beta1", "less than 1", optimizer.beta1);
    expect(optimizer.beta2 < 1, name, "beta2", "less than 1", optimizer.beta2);
  }

  void check(const std::string& name, const VaeStageSettings& stage) const {
    if (stage.steps == 0) return;
    expect(stage.batch > 0, name, "batch", "clips a step", stage.batch);
    expect_edge(name, "height", stage.height, kWorldHeight);
    expect_edge(name, "width", stage.width, kWorldWidth);
    expect(stage.frames > 4 && stage.frames % 4 == 1, name, "frames", "4 n + 1", stage.frames);
    expect(stage.learning_rate.start > 0, name, "learning_rate", "more than 0", stage.learning_rate.start);
  }

  void check(const std::string& name, const StarStageSettings& stage) const {
    if (stage.steps == 0) return;
    expect(stage.batch > 0 && stage.batch % kBlockClips == 0, name, "batch",
           fmt::format("a multiple of {}", kBlockClips), stage.batch);
    expect(stage.first_clips >= stage.batch, name, "first_clips", fmt::format("at least the batch, {}", stage.batch),
           stage.first_clips);
    expect(stage.capacity >= stage.batch, name, "capacity", fmt::format("at least the batch, {}", stage.batch),
           stage.capacity);
    expect(stage.learning_rate.start > 0, name, "learning_rate", "more than 0", stage.learning_rate.start);
  }

  template <typename Section>
  void check(const std::string&, const Section&) const {}

  void expect_edge(const std::string& name, const char* key, int pixels, int64_t most) const {
    expect(pixels > 0 && pixels % kPixelsPerFeature == 0 && pixels <= most, name, key,
           fmt::format("a multiple of {} up to {}", kPixelsPerFeature, most), pixels);
  }

  template <typename Value>
  void expect(bool holds, const std::string& section, const char* key, std::string_view expected,
              const Value& got) const {
    if (holds) return;
    fail(ErrorKind::usage, fmt::format("{}: {}.{}: expected {}, got {}", file_, section, key, expected, got));
  }

  std::string file_;
};

}  // namespace

double LearningRate::at(int64_t step, int64_t steps) const {
  const double done = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps, 1));
  const double cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * done);
  return (end + (start - end) * cosine) * std::min(1.0, static_cast<double>(step + 1) / warmup);
}

const StarStageSettings& last_star_stage(const TrainSettings& settings) {
  return settings.star_long.steps > 0 ? settings.star_long : settings.star_short;
}

TrainSettings find_train_settings(const std::string& name_or_file) {
  const auto file = file_or_preset(name_or_file);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("{}: no file with settings of a training", name_or_file));
  return read_train_settings(file);
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

TrainSettings read_train_settings(const std::filesystem::path& file) {
  TrainSettings settings;
  const YamlDocument document(file);
  for (const YamlEntry& entry : document.entries(document.root(), "the file")) {
    bool known = false;
    visit_sections(settings, [&](std::string_view name, auto& fields) {
      if (name != entry.key) return;
      known = true;
      read_fields(
          document, entry.value, entry.key, fields, [](const YamlEntry&) { return false; },
          [](const Field&, const Origin&) {});
    });
    if (!known) document.fail_unknown(entry, "", section_names(settings));
  }
  SettingsCheck{file.string()}(settings);
  return settings;
}

}  // namespace faststar
