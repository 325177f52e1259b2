#include "core/train/train_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/config/installation.h"
#include "core/config/yaml_document.h"
#include "core/config/yaml_fields.h"
#include "core/error.h"

namespace faststar {
namespace {

std::vector<std::string> section_names(const TrainSettings& settings) {
  std::vector<std::string> names;
  visit_sections(settings, [&](std::string_view name, const auto&) { names.emplace_back(name); });
  return names;
}

void check_stages(const TrainSettings& settings, const std::string& file) {
  for (const VaeStageSettings* stage : {&settings.vae_crops, &settings.vae_frames, &settings.vae_decoder}) {
    if (stage->steps == 0) continue;
    if (stage->height % 16 != 0 || stage->width % 16 != 0 || stage->frames % 4 != 1) {
      fail(ErrorKind::usage, fmt::format("{}: vae stages: expected height and width in multiples of 16 and 4n + 1 "
                                         "frames, got {}x{}, {} frames",
                                         file, stage->height, stage->width, stage->frames));
    }
  }
  for (const StarStageSettings* stage : {&settings.star_short, &settings.star_long}) {
    if (stage->batch % 8 != 0 || stage->first_clips < stage->batch) {
      fail(ErrorKind::usage, fmt::format("{}: star stages: expected a batch in multiples of 8, at most first_clips, "
                                         "got {} with {} first clips",
                                         file, stage->batch, stage->first_clips));
    }
  }
}

}  // namespace

double LearningRate::at(int64_t step, int64_t steps) const {
  const double done = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(steps, 1));
  const double cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * done);
  return (end + (start - end) * cosine) * std::min(1.0, static_cast<double>(step + 1) / warmup);
}

TrainSettings find_train_settings(const std::string& name_or_file) {
  const auto file = file_or_preset(name_or_file);
  if (file.empty()) fail(ErrorKind::usage, fmt::format("{}: no file with settings of a training", name_or_file));
  return read_train_settings(file);
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
  check_stages(settings, file.string());
  return settings;
}

}  // namespace faststar
