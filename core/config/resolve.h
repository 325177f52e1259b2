#pragma once
#include <string>

#include "core/config/model_folder.h"
#include "core/config/settings.h"

namespace faststar {

/// What a command line says about settings.
struct SettingsRequest {
  FieldTexts flags;                    ///< by Field::setting()
  std::string config;                  ///< --config; empty: none
  FieldTexts remembered = {};          ///< what a file of ours says: weaker than all of these
  std::string remembered_preset = {};  ///< name of the preset that it was made with; empty: none
};

/// Settings and model after all sources: flag, environment, --config, model's preset, default.
struct ResolvedSettings {
  Settings settings;
  ModelFolder model;
  std::string base;  ///< `base:` for --save-config; empty when the model folder brings its own preset
};

/// Throws Error(usage) for anything that is not valid by itself, Error(model) for the model folder.
ResolvedSettings resolve_settings(const SettingsRequest& request);

}  // namespace faststar
