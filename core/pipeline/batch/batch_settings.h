#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/config/resolve.h"
#include "core/pipeline/batch/batch_folder.h"

/// config.yaml in the folder of a batch holds its settings. They stay the same when the batch is resumed.
namespace faststar {

/// The settings in the file; nothing when it does not exist yet. Throws Error(usage) when it is damaged.
std::optional<Config> read_batch_settings(const std::filesystem::path& file);

/// Creates the file. Throws Error(output), also when it exists.
void write_batch_settings(const std::filesystem::path& file, const Config& config, const std::string& base);

/// Fills in what a batch decides once: the base seed (given, else that of earlier runs in the folder, else random), the
/// precision and the full path of the model. Clears the settings of single files.
void settle_batch_settings(const BatchFolder& folder, Precision precision, ResolvedSettings& resolved);

/// Throws Error(usage) when the batch in the folder was started with other settings.
void check_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved);

/// The same, and saves the settings if there are none yet. One process at a time.
void save_folder_settings(const BatchFolder& folder, const ResolvedSettings& resolved);

/// Throws Error(usage) naming each changed setting that affects the videos, with both values. Device, messages and
/// additional files may change.
void check_same_settings(const std::filesystem::path& file, const Config& before, const Config& now);

/// 16 hex digits of those settings, for the manifest.
std::string settings_hash(const Config& config);

}  // namespace faststar
