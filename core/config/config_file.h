#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/settings.h"

namespace faststar {

/// What --config names: a user's file with the files it builds on, down to a preset.
struct ConfigChain {
  std::optional<std::filesystem::path> preset;  ///< none when no file names one
  std::vector<std::filesystem::path> files;     ///< the user's files, the one that wins last
};

/// Follows `base:` from a preset's name or a file's path; a `base:` path is relative to the file that has it.
/// Throws Error(usage) for unknown names, files that cannot be read and files that build on themselves.
ConfigChain follow_config(const std::string& name_or_file);

/// Sets what the chain's user files set. Throws Error(usage).
void apply_config_files(const ConfigChain& chain, Settings& settings);

}  // namespace faststar
