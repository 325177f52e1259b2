#include "core/config/preset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/config_fields.h"
#include "core/config/yaml.h"

namespace faststar {
namespace fs = std::filesystem;

template <FieldsOf<SupportedSize> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "trained", .range = {1, 86400}}, c.trained);
  visit({.name = "untrained", .range = {1, 86400}}, c.untrained);
}

template <FieldsOf<StarArchitecture> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "hidden_size", .range = {8, 65536}, .old_name = "width"}, c.hidden_size);
  visit({.name = "heads", .range = {1, 1024}}, c.heads);
  visit({.name = "kv_heads", .range = {1, 1024}}, c.kv_heads);
  visit({.name = "head_dim", .range = {8, 1024}, .old_name = "head_width"}, c.head_dim);
  visit({.name = "ffn_width", .range = {8, 262144}}, c.ffn_width);
  visit({.name = "layers", .range = {1, 1024}}, c.layers);
  visit({.name = "chunks", .range = {1, 1024}}, c.chunks);
  visit({.name = "text_rows", .range = {1, 4096}}, c.max_text_length);
}

template <FieldsOf<T5Architecture> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "hidden_size", .range = {8, 65536}, .old_name = "width"}, c.hidden_size);
  visit({.name = "heads", .range = {1, 1024}}, c.heads);
  visit({.name = "head_dim", .range = {1, 1024}, .old_name = "head_width"}, c.head_dim);
  visit({.name = "ffn_width", .range = {8, 262144}}, c.ffn_width);
  visit({.name = "layers", .range = {1, 1024}}, c.layers);
  visit({.name = "vocabulary", .range = {3, 1000000}}, c.vocabulary);
}

template <FieldsOf<VaeArchitecture> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit({.name = "channels", .range = {4, 65536}}, c.block_out_channels);
}

namespace {

/// ../share/faststar/configs relative to the executable, else configs/ of the source tree that built it.
fs::path configs_dir() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share" / "faststar" / "configs";
  const fs::path source = fs::path(FASTSTAR_SOURCE_DIR) / "configs";
  for (const fs::path& folder : {installed, source}) {
    if (fs::is_directory(folder, ignored)) return folder;
  }
  fail(ErrorKind::model, fmt::format("the installation is incomplete: {} is missing", installed.string()),
       "install faststar again with `cmake --install`");
}

constexpr auto no_other_key = [](const YamlEntry&) { return false; };
constexpr auto no_record = [](const Field&, const Origin&) {};

std::vector<SupportedSize> read_sizes(const YamlDocument& document, const YAML::Node& node) {
  std::vector<SupportedSize> sizes;
  for (const YamlEntry& entry : document.entries(node, "model.sizes")) {
    SupportedSize& size = sizes.emplace_back();
    const std::string key = fmt::format("model.sizes.{}", entry.key);
    if (!parse_value(entry.key, Field{}, size.resolution)) {
      fail_value({Source::file, document.where(entry.key_node) + ": model.sizes"},
                 expected_text(Field{}, size.resolution), entry.key);
    }
    read_fields(document, entry.value, key, size, no_other_key, no_record);
  }
  return sizes;
}

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

ModelSizes read_architecture(const YamlDocument& document, const YamlEntry& entry) {
  ModelSizes sizes;
  std::vector<std::string> missing = {"transformer", "text_encoder", "vae"};
  for (const YamlEntry& part : document.entries(entry.value, "architecture")) {
    if (std::erase(missing, part.key) == 0) document.fail_unknown(part, "architecture", missing);
    if (part.key == "transformer") read_all_fields(document, part, sizes.transformer);
    if (part.key == "text_encoder") read_all_fields(document, part, sizes.text_encoder);
    if (part.key == "vae") read_all_fields(document, part, sizes.vae);
  }
  if (!missing.empty()) {
    fail(ErrorKind::usage,
         fmt::format("{}: architecture: missing {}", document.where(entry.key_node), fmt::join(missing, ", ")));
  }
  sizes.transformer.text_width = sizes.text_encoder.hidden_size;
  return sizes;
}

/// Reads a key that only presets have. False for other keys.
bool read_preset_key(const YamlDocument& document, const std::string& section, const YamlEntry& entry,
                     ModelPreset& preset) {
  const Origin origin = {Source::preset, fmt::format("{}: model.{}", document.where(entry.key_node), entry.key)};
  if (section.empty() && entry.key == "base") return true;
  if (section.empty() && entry.key == "architecture") {
    preset.architecture = read_architecture(document, entry);
  } else if (section == "model" && entry.key == "name") {
    read_value(entry.value, Field{}, origin, preset.name);
  } else if (section == "model" && entry.key == "latents_per_clip") {
    read_value(entry.value, Field{.name = "latents_per_clip", .range = {1, 1000}}, origin, preset.latents_per_clip);
  } else if (section == "model" && entry.key == "interactive") {
    read_value(entry.value, Field{}, origin, preset.interactive);
  } else if (section == "model" && entry.key == "norm_weights") {
    read_value(entry.value, Field{}, origin, preset.norm_weights);
  } else if (section == "model" && entry.key == "sizes") {
    preset.sizes = read_sizes(document, entry.value);
  } else {
    return false;
  }
  preset.settings.origins[entry.key] = origin;
  return true;
}

/// A preset sets everything that a model decides: a released checkpoint must not fall back to our defaults.
void check_complete(const ModelPreset& preset) {
  std::vector<std::string> missing;
  const auto require = [&](std::string_view section, std::string_view key) {
    if (!preset.settings.origins.contains(key)) missing.push_back(fmt::format("{}.{}", section, key));
  };
  require("model", "latents_per_clip");
  require("model", "sizes");
  visit_config(preset.settings.config, [&](std::string_view section, const Field& field, const auto&) {
    if (field.from_model) require(section, field.name);
  });
  if (missing.empty()) return;
  fail(ErrorKind::usage,
       fmt::format("{}: a model preset has to set {}", preset.file.string(), fmt::join(missing, ", ")));
}

const SupportedSize& find_size(const ModelPreset& preset, const Settings& settings) {
  const Resolution wanted = settings.config.generate.resolution;
  std::vector<std::string_view> names;
  for (const SupportedSize& size : preset.sizes) {
    if (size.resolution == wanted) return size;
    names.push_back(choice_name(size.resolution));
  }
  fail(ErrorKind::usage,
       fmt::format("{} {}: {} supports {}", settings.origin("resolution").text, choice_name(wanted), preset.name,
                   fmt::join(names, ", ")),
       names.empty() ? "" : fmt::format("--resolution {}", names.front()));
}

/// The trained length that is nearest to `seconds`.
int nearest_duration(const SupportedSize& size, int seconds) {
  return *std::ranges::min_element(size.trained, {}, [seconds](int length) { return std::abs(length - seconds); });
}

/// The names that --config takes: all YAML files of the installation, and its models.
std::vector<std::string> config_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(configs_dir())) {
    const std::string name = entry.path().stem().string();
    if (!preset_file(name).empty()) names.push_back(name);
  }
  return names;
}

/// The last file of `chain` must not be one of the others.
void check_no_cycle(const std::vector<fs::path>& chain) {
  std::error_code ignored;
  const auto same = [&](const fs::path& file) { return fs::equivalent(file, chain.back(), ignored); };
  if (std::none_of(chain.begin(), chain.end() - 1, same)) return;
  std::vector<std::string> names;
  for (const fs::path& file : chain) names.push_back(file.string());
  fail(ErrorKind::usage, fmt::format("base: the files build on each other: {}", fmt::join(names, " -> ")));
}

}  // namespace

fs::path embedded_model_dir() { return configs_dir() / "tiny"; }

fs::path preset_file(const std::string& name) {
  std::error_code ignored;
  if (name.find('/') != std::string::npos) return {};  // a name, perhaps from a file, must not lead elsewhere
  for (const fs::path& file : {configs_dir() / (name + ".yaml"), configs_dir() / name / "model.yaml"}) {
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return {};
}

fs::path file_or_preset(const std::string& name_or_file) {
  std::error_code ignored;
  return fs::is_regular_file(name_or_file, ignored) ? fs::path(name_or_file) : preset_file(name_or_file);
}

bool is_preset(const YamlDocument& document) {
  const YAML::Node model = document.root()["model"];
  // A key that is not there gives a node that may only be asked whether it is defined.
  return model.IsDefined() && model.IsMap() && model["name"].IsDefined();
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names = config_names();
  std::erase_if(names, [](const std::string& name) { return !is_preset(YamlDocument(preset_file(name))); });
  std::ranges::sort(names);
  return names;
}

fs::path find_config(const std::string& name_or_file, const fs::path& folder, const std::string& origin) {
  std::error_code ignored;
  const fs::path file = folder / name_or_file;
  if (fs::is_regular_file(file, ignored)) return file;
  if (name_or_file.find('/') == std::string::npos) {
    const fs::path preset = preset_file(name_or_file);
    if (!preset.empty()) return preset;
  }
  const std::string nearest = nearest_name(name_or_file, config_names());
  fail(ErrorKind::usage, fmt::format("{}: {}: no such file and no such preset", origin, name_or_file),
       nearest.empty() ? "configs/README.md lists the presets" : fmt::format("did you mean {}?", nearest));
}

std::vector<fs::path> base_chain(const fs::path& file) {
  std::vector<fs::path> chain = {file};
  for (;;) {
    const YamlDocument document(chain.back());
    const YAML::Node node = document.root()["base"];
    if (!node.IsDefined()) return chain;
    std::string base;
    read_value(node, Field{}, {Source::file, document.where(node) + ": base"}, base);
    chain.push_back(find_config(base, chain.back().parent_path(), chain.back().string() + ": base"));
    check_no_cycle(chain);
  }
}

ModelPreset read_preset(const fs::path& file) {
  ModelPreset preset;
  preset.file = file;
  const std::vector<fs::path> chain = base_chain(file);
  for (auto layer = chain.rbegin(); layer != chain.rend(); ++layer) {
    const YamlDocument document(*layer);
    const auto preset_key = [&](const std::string& section, const YamlEntry& entry) {
      return read_preset_key(document, section, entry, preset);
    };
    apply_yaml(document, Source::preset, preset_key, preset.settings);
  }
  if (preset.name.empty()) {
    fail(ErrorKind::usage, fmt::format("{}: model.name is missing: this is not a model preset", file.string()));
  }
  check_complete(preset);
  find_size(preset, preset.settings);
  return preset;
}

void check_image_size(const ModelPreset& preset, const Settings& settings) { find_size(preset, settings); }

void check_video_size(const ModelPreset& preset, const Settings& settings) {
  const SupportedSize& size = find_size(preset, settings);
  const int seconds = settings.config.generate.duration.count;
  const auto holds = [seconds](const std::vector<int>& list) { return std::ranges::count(list, seconds) > 0; };
  if (holds(size.trained)) return;
  const std::string_view resolution = choice_name(size.resolution);
  if (holds(size.untrained)) {
    log::warn("{} {}: {} was trained for {} s at {}; quality of other lengths is unknown",
              settings.origin("duration").text, seconds, preset.name, fmt::join(size.trained, ", "), resolution);
    return;
  }
  const std::string also =
      size.untrained.empty() ? "" : fmt::format(" (trained) and {} s (untrained)", fmt::join(size.untrained, ", "));
  fail(ErrorKind::usage,
       fmt::format("{} {}: at {}, {} supports {} s{}", settings.origin("duration").text, seconds, resolution,
                   preset.name, fmt::join(size.trained, ", "), also),
       fmt::format("--duration {}", nearest_duration(size, seconds)));
}

}  // namespace faststar
