#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config/preset.h"

namespace faststar {

/// Where the parts of one model are, or are expected.
struct ModelLayout {
  std::filesystem::path preset;       ///< model.yaml, or the preset that matches the folder's name; else empty
  std::filesystem::path transformer;  ///< folder of shards with their index
  std::filesystem::path vae;          ///< .safetensors or .pth file
  std::filesystem::path t5;           ///< Hugging Face folder with spiece.model

  std::filesystem::path vocabulary() const;  ///< the tokenizer's file in t5
  /// The words that it was trained with, one a line; models that know a language have no such file.
  std::filesystem::path words() const;
};

/// The layout of our own model folders: model.yaml, transformer/, vae.*, t5/. The parts need not exist. Throws
/// Error(model) when there are two VAE files.
ModelLayout own_layout(const std::filesystem::path& folder);

/// The models in `folder`: our own layout, those of an official release tree, or the one whose weights folder inside
/// such a tree is `folder`. Empty when there is none. Throws Error(model) when one model has two VAE files.
std::vector<ModelLayout> find_models(const std::filesystem::path& folder);

struct ModelPart {
  std::string name;
  std::filesystem::path path;
  bool found = false;
};

/// Transformer, VAE, text encoder and tokenizer of a layout, with or without a file.
std::vector<ModelPart> model_parts(const ModelLayout& layout);

/// What the user asks for.
struct ModelRequest {
  std::optional<std::string> folder;            ///< none: the embedded model
  std::string folder_origin;                    ///< "--model", for messages
  std::optional<std::filesystem::path> preset;  ///< of --config or `base:`; overrides the folder's
  bool random_weights = false;
};

/// The model of a run, complete unless its weights are random.
struct ModelFolder {
  std::filesystem::path folder;  ///< as given; empty for a preset without weights
  ModelPreset preset;
  ModelLayout layout;  ///< with random weights, parts may be missing
  bool embedded = false;
  bool random_weights = false;
};

/// The model in the folder that was asked for, else the embedded model; the disk is not searched. Throws Error(model)
/// when the folder is missing or incomplete, holds several models and none was chosen, or a preset has no weights;
/// Error(usage) for a bad model.yaml.
ModelFolder resolve_model(const ModelRequest& request);

/// The name by which --config finds the model's preset in the installation; empty for the embedded model and for a file
/// of the user's.
std::string preset_name(const ModelFolder& model);

}  // namespace faststar
