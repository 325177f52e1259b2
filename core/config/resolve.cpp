#include "core/config/resolve.h"

#include <algorithm>

#include "core/config/yaml.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

void apply_user_sources(const SettingsRequest& request, const ConfigChain& chain, Settings& settings) {
  apply_flags(settings, request.remembered);
  apply_config_files(chain, settings);
  apply_environment(settings);
  apply_flags(settings, request.flags);
  settle_prompt_source(settings);
  settle_reduction(settings);
  ScheduleConfig& schedule = settings.config.schedule;
  if (!schedule.repetitions.video.empty()) {
    schedule.repetitions = schedule.repetitions.with_last(schedule.last_repetitions);
  }
}

/// A preset as `base:` names it: its name when it belongs to the installation, else its path.
std::string base_name(const fs::path& preset) {
  std::error_code ignored;
  for (const std::string& name : preset_names()) {
    if (fs::equivalent(preset_file(name), preset, ignored)) return name;
  }
  return fs::absolute(preset).string();
}

}  // namespace

ConfigChain follow_config(const std::string& name_or_file) {
  ConfigChain chain;
  for (const fs::path& file : base_chain(find_config(name_or_file, "", "--config"))) {
    if (is_preset(YamlDocument(file))) {
      chain.preset = file;
      break;
    }
    chain.files.push_back(file);
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

ResolvedSettings resolve_settings(const SettingsRequest& request) {
  ConfigChain chain = request.config.empty() ? ConfigChain{} : follow_config(request.config);
  const fs::path remembered = preset_file(request.remembered_preset);
  if (!chain.preset && !remembered.empty()) chain.preset = remembered;
  // The model is a setting, and its preset lies under all other settings: find it first.
  Settings user;
  apply_user_sources(request, chain, user);
  ResolvedSettings resolved;
  resolved.model = resolve_model({.folder = user.config.model.model,
                                  .folder_origin = user.origin("model").text,
                                  .preset = chain.preset,
                                  .random_weights = user.config.model.random_weights});
  resolved.settings = resolved.model.preset.settings;
  apply_user_sources(request, chain, resolved.settings);
  if (chain.preset) resolved.base = base_name(*chain.preset);
  return resolved;
}

}  // namespace faststar
