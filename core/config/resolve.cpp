#include "core/config/resolve.h"

#include "core/config/config_file.h"
#include "core/config/installation.h"

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

ResolvedSettings resolve_settings(const SettingsRequest& request) {
  ConfigChain chain = request.config.empty() ? ConfigChain{} : follow_config(request.config);
  if (!chain.preset && !request.remembered_preset.empty()) chain.preset = preset_file(request.remembered_preset);
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
