#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/config/config.h"

/// config.yaml in the folder of a batch holds its settings. They stay the same when the batch is resumed.
namespace faststar {

/// The settings in the file; nothing when it does not exist yet. Throws Error(usage) when it is damaged.
std::optional<Config> read_batch_settings(const std::filesystem::path& file);

/// Creates the file. Throws Error(output), also when it exists.
void write_batch_settings(const std::filesystem::path& file, const Config& config, const std::string& base);

/// Throws Error(usage) naming each changed setting that affects the videos, with both values. Device, messages and
/// additional files may change.
void check_same_settings(const std::filesystem::path& file, const Config& before, const Config& now);

/// 16 hex digits of those settings, for the manifest.
std::string settings_hash(const Config& config);

}  // namespace faststar
