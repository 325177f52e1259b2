#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/config/config.h"

/// A batch's settings stay the same over all its runs: config.yaml in its folder keeps them.
namespace faststar {

/// What the file says; nothing when there is none yet. Throws Error(usage) when it is damaged.
std::optional<Config> read_batch_settings(const std::filesystem::path& file);

/// Creates the file. Throws Error(output), also when another process was first.
void write_batch_settings(const std::filesystem::path& file, const Config& config, const std::string& base);

/// Throws Error(usage) naming each setting that would change the videos and differs, with both values. Where it runs,
/// what it prints and which files it writes besides may change.
void check_same_settings(const std::filesystem::path& file, const Config& before, const Config& now);

/// 16 hex digits of those settings, for the manifest.
std::string settings_hash(const Config& config);

}  // namespace faststar
