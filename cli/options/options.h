#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/config/resolve.h"

namespace CLI {
class App;
}

namespace faststar {

/// The command line of a command that generates files, before settings are resolved.
struct MakingOptions {
  SettingsRequest settings;
  std::string save_config;  ///< file for the resolved settings; empty: none
  bool dry_run = false;     ///< check and plan only
};

/// Defines the options of a command that generates files: a flag for every field of Config with a scope in `commands`.
/// `options` must outlive the parse.
void add_making_options(CLI::App& command, FlagScope commands, MakingOptions& options);

/// Defines a flag for every field of Config that `wanted` names, by Field::setting(). `texts` must outlive the parse.
void add_setting_options(CLI::App& command, const std::vector<std::string_view>& wanted, FieldTexts& texts);

/// Writes the resolved settings to the file of --save-config, if given. Throws Error(output).
void save_config(const MakingOptions& options, const ResolvedSettings& resolved);

/// The settings of all sources, as resolve_settings, and quiet logging where they ask for it. First reads
/// FASTSTAR_CONFIG, FASTSTAR_SAVE_CONFIG and FASTSTAR_DRY_RUN into `options` for flags that were not given.
/// Throws Error(usage).
ResolvedSettings resolve_options(MakingOptions& options);

/// The devices of --devices: "0,1" is cuda:0 and cuda:1; "cpu" is allowed too. Empty for an empty text.
/// Throws Error(usage).
std::vector<std::string> parse_devices(const std::string& text);

}  // namespace faststar
