#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace faststar {

/// The folder of the presets and the embedded model: ../share/faststar/configs relative to the executable, else
/// configs/ of the source tree that built it. Throws Error(model) when neither exists.
std::filesystem::path configs_dir();

/// The embedded model's folder.
std::filesystem::path embedded_model_dir();

/// The file of preset `name` ("720p", "tiny"), or of a configuration on top of one ("faststar-720p"); an empty path
/// when there is none.
std::filesystem::path preset_file(const std::string& name);

/// The file with that path, else preset_file() of that name.
std::filesystem::path file_or_preset(const std::string& name_or_file);

/// The presets of the installation that describe a model, by name, sorted.
std::vector<std::string> preset_names();

}  // namespace faststar
