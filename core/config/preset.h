#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/architecture.h"
#include "core/config/settings.h"

namespace faststar {

/// A size that a model makes, and for how long.
struct SizeOffer {
  Resolution resolution = Resolution::p720;
  std::vector<int> trained;    ///< durations in seconds that the model was trained for
  std::vector<int> untrained;  ///< durations that the schedule has, at the user's own risk
};

template <FieldsOf<SizeOffer> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "trained", .range = {1, 86400}}, c.trained);
  visit(Field{.name = "untrained", .range = {1, 86400}}, c.untrained);
}

/// What is known about a model besides its weights: `model.yaml` of a model folder, or configs/<name>.yaml.
struct ModelPreset {
  std::filesystem::path file;
  std::string name;           ///< as shown: "InfinityStar 8B 720p"
  int latents_per_clip = 20;  ///< latent frames of a video clip (official frames_inner_clip)
  bool interactive = false;   ///< trained to go on from its own clips, one prompt after another
  std::vector<SizeOffer> sizes;
  std::optional<ModelSizes> architecture;  ///< for --random-weights
  Settings settings;                       ///< the sections of the file over the defaults
};

class YamlDocument;

/// True when the file describes a model (it has `model.name`), false for a user's configuration.
bool is_preset(const YamlDocument& document);

/// Throws Error(usage) naming file, line and key when something is unknown, wrong or missing.
ModelPreset read_preset(const std::filesystem::path& file);

/// Throws Error(usage) when the preset does not list the resolution or, for a video, the duration of
/// `settings`, naming those it does; warns when the model was not trained for it.
void check_video_size(const ModelPreset& preset, const Settings& settings);
void check_image_size(const ModelPreset& preset, const Settings& settings);

}  // namespace faststar
