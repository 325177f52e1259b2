#include "core/config/preset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/yaml.h"
#include "core/config/yaml_document.h"
#include "core/config/yaml_fields.h"

namespace faststar {
namespace {

constexpr auto no_other_key = [](const YamlEntry&) { return false; };
constexpr auto no_record = [](const Field&, const Origin&) {};

std::vector<SizeOffer> read_sizes(const YamlDocument& document, const YAML::Node& node) {
  std::vector<SizeOffer> sizes;
  for (const YamlEntry& entry : document.entries(node, "model.sizes")) {
    SizeOffer& size = sizes.emplace_back();
    const std::string key = fmt::format("model.sizes.{}", entry.key);
    if (!parse_value(entry.key, Field{}, size.resolution)) {
      fail_value({Source::file, document.where(entry.key_node) + ": model.sizes"},
                 expected_text(Field{}, size.resolution), entry.key);
    }
    read_fields(document, entry.value, key, size, no_other_key, no_record);
  }
  return sizes;
}

/// Reads all fields of one part of the architecture: none has a default.
template <typename Sizes>
void read_all_fields(const YamlDocument& document, const YamlEntry& part, Sizes& sizes) {
  const std::string section = fmt::format("architecture.{}", part.key);
  std::vector<std::string> missing = field_names(sizes);
  read_fields(document, part.value, section, sizes, no_other_key,
              [&](const Field& field, const Origin&) { std::erase(missing, field.name); });
  if (missing.empty()) return;
  fail(ErrorKind::usage,
       fmt::format("{}: {}: missing {}", document.where(part.key_node), section, fmt::join(missing, ", ")));
}

void check_vae_channels(const YamlDocument& document, const YamlEntry& entry, const VaeSizes& vae) {
  constexpr size_t kLevels = 5;  // of the official encoder and decoder
  if (vae.channels.size() == kLevels) return;
  fail(ErrorKind::usage, fmt::format("{}: architecture.vae.channels: expected {} numbers, got {}",
                                     document.where(entry.key_node), kLevels, vae.channels.size()));
}

ModelSizes read_architecture(const YamlDocument& document, const YamlEntry& entry) {
  ModelSizes sizes;
  std::vector<std::string> missing = {"transformer", "text_encoder", "vae"};
  for (const YamlEntry& part : document.entries(entry.value, "architecture")) {
    if (std::erase(missing, part.key) == 0) document.fail_unknown(part, "architecture", missing);
    visit_sections(sizes, [&](std::string_view name, auto& fields) {
      if (name == part.key) read_all_fields(document, part, fields);
    });
  }
  if (missing.empty()) {
    check_vae_channels(document, entry, sizes.vae);
    return sizes;
  }
  fail(ErrorKind::usage,
       fmt::format("{}: architecture: missing {}", document.where(entry.key_node), fmt::join(missing, ", ")));
}

/// Takes the keys that only presets have. False for any other.
bool read_preset_key(const YamlDocument& document, const std::string& section, const YamlEntry& entry,
                     ModelPreset& preset) {
  const Origin origin = {Source::preset, fmt::format("{}: model.{}", document.where(entry.key_node), entry.key)};
  if (section.empty() && entry.key == "architecture") {
    preset.architecture = read_architecture(document, entry);
  } else if (section == "model" && entry.key == "name") {
    read_value(entry.value, Field{}, origin, preset.name);
  } else if (section == "model" && entry.key == "latents_per_clip") {
    read_value(entry.value, Field{.name = "latents_per_clip", .range = {1, 1000}}, origin, preset.latents_per_clip);
  } else if (section == "model" && entry.key == "interactive") {
    read_value(entry.value, Field{}, origin, preset.interactive);
  } else if (section == "model" && entry.key == "sizes") {
    preset.sizes = read_sizes(document, entry.value);
  } else {
    return false;
  }
  preset.settings.origins[entry.key] = origin;
  return true;
}

/// A preset sets all that a model has to decide: a released checkpoint must not fall back to our defaults.
void check_complete(const ModelPreset& preset) {
  std::vector<std::string> missing;
  const auto require = [&](std::string_view section, std::string_view key) {
    if (!preset.settings.origins.contains(key)) missing.push_back(fmt::format("{}.{}", section, key));
  };
  require("model", "latents_per_clip");
  require("model", "sizes");
  visit_config(preset.settings.config, [&](std::string_view section, const Field& field, const auto&) {
    if (field.fallback == Fallback::model) require(section, field.name);
  });
  if (missing.empty()) return;
  fail(ErrorKind::usage,
       fmt::format("{}: a model's file has to set {}", preset.file.string(), fmt::join(missing, ", ")));
}

const SizeOffer& find_size(const ModelPreset& preset, const Settings& settings) {
  const Resolution wanted = settings.config.generate.resolution;
  std::vector<std::string_view> names;
  for (const SizeOffer& size : preset.sizes) {
    if (size.resolution == wanted) return size;
    names.push_back(choice_name(size.resolution));
  }
  fail(ErrorKind::usage,
       fmt::format("{} {}: {} makes {}", settings.origin("resolution").text, choice_name(wanted), preset.name,
                   fmt::join(names, ", ")),
       names.empty() ? "" : fmt::format("--resolution {}", names.front()));
}

bool contains(const std::vector<int>& list, int value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

bool is_preset(const YamlDocument& document) {
  const YAML::Node model = document.root()["model"];
  // A key that is not there gives a node that may only be asked whether it is defined.
  return model.IsDefined() && model.IsMap() && model["name"].IsDefined();
}

ModelPreset read_preset(const std::filesystem::path& file) {
  const YamlDocument document(file);
  ModelPreset preset;
  preset.file = file;
  apply_yaml(
      document, Source::preset,
      [&](const std::string& section, const YamlEntry& entry) {
        return read_preset_key(document, section, entry, preset);
      },
      preset.settings);
  if (preset.name.empty()) {
    fail(ErrorKind::usage, fmt::format("{}: model.name is missing: this is not the file of a model", file.string()));
  }
  check_complete(preset);
  find_size(preset, preset.settings);
  return preset;
}

void check_image_size(const ModelPreset& preset, const Settings& settings) { find_size(preset, settings); }

void check_video_size(const ModelPreset& preset, const Settings& settings) {
  const SizeOffer& size = find_size(preset, settings);
  const int seconds = settings.config.generate.duration.count;
  if (contains(size.trained, seconds)) return;
  const std::string_view resolution = choice_name(size.resolution);
  if (contains(size.untrained, seconds)) {
    log::warn("{} {}: {} was trained for {} s at {}; quality of other lengths is unknown",
              settings.origin("duration").text, seconds, preset.name, fmt::join(size.trained, " or "), resolution);
    return;
  }
  const std::string also =
      size.untrained.empty() ? "" : fmt::format(", and untrained {} s", fmt::join(size.untrained, ", "));
  fail(ErrorKind::usage,
       fmt::format("{} {}: {} makes {} s videos at {}{}", settings.origin("duration").text, seconds, preset.name,
                   fmt::join(size.trained, " or "), resolution, also),
       fmt::format("--duration {}", preset.settings.config.generate.duration.count));
}

}  // namespace faststar
