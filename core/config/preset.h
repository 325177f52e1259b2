#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// A size that a model supports.
struct SupportedSize {
  Resolution resolution = Resolution::p720;
  std::vector<int> trained;    ///< durations in seconds that the model was trained for
  std::vector<int> untrained;  ///< other durations that the schedule has: they run with a warning
};

/// Sizes of a model without a checkpoint, for --random-weights and training. A checkpoint's shapes give its own.
struct ModelSizes {
  StarArchitecture transformer;
  T5Architecture text_encoder;
  VaeArchitecture vae;
};

constexpr auto choice_words(NormWeights) { return word_list("backbone", "fp32"); }

/// The settings of a model: `model.yaml` of a model folder, or configs/<name>.yaml.
struct ModelPreset {
  std::filesystem::path file;
  std::string name;           ///< as shown: "InfinityStar 8B 720p"
  int latents_per_clip = 20;  ///< latent frames of a video clip (official frames_inner_clip)
  bool interactive = false;   ///< trained to continue its own clips, one prompt after another
  NormWeights norm_weights = NormWeights::backbone;
  std::vector<SupportedSize> sizes;
  std::optional<ModelSizes> architecture;  ///< for --random-weights
  Settings settings;                       ///< the sections of the file over the defaults
};

class YamlDocument;

/// The embedded model's folder. Throws Error(model), as do all that look for presets, when the installation has none.
std::filesystem::path embedded_model_dir();

/// The file of preset `name` ("720p", "tiny"), or of a configuration on top of one ("faststar-720p"); an empty path
/// when there is none.
std::filesystem::path preset_file(const std::string& name);

/// The file with that path, else preset_file() of that name.
std::filesystem::path file_or_preset(const std::string& name_or_file);

/// The presets of the installation that describe a model, by name, sorted.
std::vector<std::string> preset_names();

/// True when the file describes a model (it has `model.name`), false for a user's configuration.
bool is_preset(const YamlDocument& document);

/// `file` and the files that it builds on (`base:`, a preset's name or a path relative to the file), from top to
/// bottom. Throws Error(usage) for files that cannot be read, unknown names and cycles.
std::vector<std::filesystem::path> base_chain(const std::filesystem::path& file);

/// The file at `folder`/`name_or_file`, else the preset of that name. Throws Error(usage) naming `origin`.
std::filesystem::path find_config(const std::string& name_or_file, const std::filesystem::path& folder,
                                  const std::string& origin);

/// Reads a preset and the files that it builds on. Throws Error(usage) naming file, line and key when something is
/// unknown, wrong or missing.
ModelPreset read_preset(const std::filesystem::path& file);

/// Throws Error(usage) when the preset does not list the resolution or, for a video, the duration of `settings`. Logs a
/// warning when the model was not trained for it.
void check_video_size(const ModelPreset& preset, const Settings& settings);
void check_image_size(const ModelPreset& preset, const Settings& settings);

}  // namespace faststar
