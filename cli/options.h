#pragma once
#include <string>

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

/// Fills what the command line left open from FASTSTAR_CONFIG, FASTSTAR_SAVE_CONFIG and FASTSTAR_DRY_RUN; the
/// settings' own variables are read with the settings. Throws Error(usage).
void apply_option_environment(MakingOptions& options);

}  // namespace faststar
