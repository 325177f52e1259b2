#pragma once
#include <filesystem>
#include <string>

#include "core/config/model_folder.h"

/// What `faststar info` prints: text that ends with a line end.
namespace faststar {

struct ModelReport {
  std::string text;
  bool complete = true;  ///< every part of every model is there and can be opened
};

/// The models of a folder: each part found, missing or damaged (a file cut short), with its parameters.
ModelReport describe_models(const std::filesystem::path& folder);

/// A checkpoint or codes file: dtypes, parameters, every tensor with its shape, the writer's notes.
/// Throws Error(model) when it cannot be opened.
std::string describe_checkpoint(const std::filesystem::path& path);

/// The settings inside a video or picture of ours. Throws Error(input) when it is not one.
std::string describe_media(const std::filesystem::path& path);

/// The command line that makes a video or picture of ours again. Throws Error(input) when it is not one.
std::string remake_command(const std::filesystem::path& path);

}  // namespace faststar
