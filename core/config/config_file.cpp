#include "core/config/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/config/installation.h"
#include "core/config/preset.h"
#include "core/config/yaml.h"
#include "core/config/yaml_document.h"
#include "core/config/yaml_fields.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// A word without path or extension is a preset unless such a file exists.
fs::path locate(const std::string& name_or_file, const fs::path& folder, const std::string& asked_by) {
  std::error_code ignored;
  const fs::path file = folder / name_or_file;
  if (fs::is_regular_file(file, ignored)) return file;
  if (name_or_file.find('/') == std::string::npos) {
    const fs::path preset = preset_file(name_or_file);
    if (!preset.empty()) return preset;
  }
  fail(ErrorKind::usage, fmt::format("{}: {}: no such file and no such preset", asked_by, name_or_file),
       fmt::format("presets: {}", fmt::join(preset_names(), ", ")));
}

std::optional<std::string> base_of(const YamlDocument& document) {
  const YAML::Node node = document.root()["base"];
  if (!node.IsDefined()) return std::nullopt;
  std::string base;
  read_value(node, Field{}, {Source::file, document.where(node) + ": base"}, base);
  return base;
}

void check_no_cycle(const std::vector<fs::path>& files, const fs::path& next) {
  std::error_code ignored;
  const auto same = [&](const fs::path& file) { return fs::equivalent(file, next, ignored); };
  if (std::none_of(files.begin(), files.end(), same)) return;
  std::vector<std::string> names;
  for (const fs::path& file : files) names.push_back(file.string());
  names.push_back(next.string());
  fail(ErrorKind::usage, fmt::format("base: the files build on each other: {}", fmt::join(names, " -> ")));
}

}  // namespace

ConfigChain follow_config(const std::string& name_or_file) {
  ConfigChain chain;
  fs::path next = locate(name_or_file, "", "--config");
  while (!next.empty()) {
    check_no_cycle(chain.files, next);
    const YamlDocument document(next);
    if (is_preset(document)) {
      chain.preset = next;
      break;
    }
    chain.files.push_back(next);
    const auto base = base_of(document);
    next = base ? locate(*base, next.parent_path(), next.string() + ": base") : fs::path();
  }
  std::reverse(chain.files.begin(), chain.files.end());
  return chain;
}

void apply_config_files(const ConfigChain& chain, Settings& settings) {
  const auto is_base = [](const std::string& section, const YamlEntry& entry) {
    return section.empty() && entry.key == "base";
  };
  for (const fs::path& file : chain.files) apply_yaml(YamlDocument(file), Source::file, is_base, settings);
}

}  // namespace faststar
