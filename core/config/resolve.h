#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/process_group.h"
#include "core/config/model_folder.h"
#include "core/config/settings.h"

namespace faststar {

/// What --config names: a user's file with the files that it builds on, down to a preset.
struct ConfigChain {
  std::optional<std::filesystem::path> preset;  ///< none when no file names one
  std::vector<std::filesystem::path> files;     ///< the user's files; later ones override earlier ones
};

/// Follows `base:` from a preset's name or a file's path. Throws Error(usage) as base_chain does.
ConfigChain follow_config(const std::string& name_or_file);

/// Applies the user's files. Throws Error(usage).
void apply_config_files(const ConfigChain& chain, Settings& settings);

/// The settings of a command line.
struct SettingsRequest {
  FieldTexts flags;                    ///< by Field::setting()
  std::string config;                  ///< --config; empty: none
  FieldTexts remembered = {};          ///< settings stored in one of our files: weaker than all others
  std::string remembered_preset = {};  ///< the preset that it was made with; empty: none
};

/// Settings and model after all sources: flag, environment, --config, model's preset, default.
struct ResolvedSettings {
  Settings settings;
  ModelFolder model;
  std::string base;        ///< `base:` for --save-config; empty when the model folder has its own preset
  bool plan_only = false;  ///< --dry-run: nothing will be loaded
  /// The processes that make each video together; in a dry run this one alone, and how many they would be.
  std::shared_ptr<ProcessGroup> group = std::make_shared<ProcessGroup>();
  int processes = 1;
};

/// Throws Error(usage) for invalid settings, Error(model) for the model folder.
ResolvedSettings resolve_settings(const SettingsRequest& request);

}  // namespace faststar
