#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/config/resolve.h"

namespace CLI {
class App;
}

namespace faststar {

/// What the command line of a making command says, before anything is resolved.
struct MakingOptions {
  SettingsRequest settings;
  std::string save_config;  ///< a file for the resolved settings; empty: none
  bool dry_run = false;     ///< check and plan only
};

/// Defines the options of a command that makes files: a flag for every field of Config whose scope is among
/// `commands`.
/// `options` has to outlive the parse.
void add_making_options(CLI::App& command, FlagScope commands, MakingOptions& options);

/// Defines a flag for every field of Config that `wanted` names, by Field::setting(). `texts` has to outlive the parse.
void add_setting_options(CLI::App& command, const std::vector<std::string_view>& wanted, FieldTexts& texts);

/// Writes the resolved settings where --save-config says, if it does. Throws Error(output).
void save_config(const MakingOptions& options, const ResolvedSettings& resolved);

/// Fills what the command line left open from FASTSTAR_CONFIG, FASTSTAR_SAVE_CONFIG and FASTSTAR_DRY_RUN; the
/// settings' own variables are read with the settings. Throws Error(usage).
void apply_option_environment(MakingOptions& options);

/// The devices of --devices: "0,1" is cuda:0 and cuda:1; "cpu" may stand there too. Empty for an empty text. Throws
/// Error(usage).
std::vector<std::string> parse_devices(const std::string& text);

}  // namespace faststar
