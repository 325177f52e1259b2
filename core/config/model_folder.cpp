#include "core/config/model_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

// Names of the official release tree.
constexpr const char* kOfficialWeights[] = {"infinitystar_8b_720p_weights", "infinitystar_8b_480p_weights",
                                            "InfinityStarInteract_24K_iters"};
constexpr const char* kOfficialVae = "infinitystar_videovae.pth";
constexpr const char* kOfficialT5 = "text_encoder/flan-t5-xl-official";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool holds_weights(const fs::path& folder) {
  for (const char* name :
       {"model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin"}) {
    if (is_there(folder / name)) return true;
  }
  return false;
}

fs::path vae_of(const fs::path& folder) {
  const fs::path safetensors = folder / "vae.safetensors";
  const fs::path pickle = folder / "vae.pth";
  if (is_there(safetensors) && is_there(pickle)) {
    fail(ErrorKind::model,
         fmt::format("{}: two VAEs: {} and {}", folder.string(), safetensors.filename().string(),
                     pickle.filename().string()),
         "keep one of them");
  }
  return is_there(pickle) ? pickle : safetensors;
}

fs::path preset_named_in(const std::string& folder_name) {
  constexpr std::pair<const char*, const char*> kPresets[] = {
      {"720p", "720p"}, {"480p", "480p"}, {"Interact", "480p-interact"}};
  for (const auto& [part, preset] : kPresets) {
    if (folder_name.find(part) != std::string::npos) return preset_file(preset);
  }
  return {};
}

ModelLayout official_layout(const fs::path& tree, const fs::path& weights) {
  return {preset_named_in(weights.filename().string()), weights, tree / kOfficialVae, tree / kOfficialT5};
}

/// The option that chooses this model among others: "--config 480p", or "--model DIR" where the preset is unknown.
std::string choice_of(const ModelLayout& layout) {
  if (layout.preset.empty()) return "--model " + shell_quoted(layout.transformer.string());
  const std::string name = layout.preset.stem().string();
  return "--config " + (preset_file(name) == layout.preset ? name : shell_quoted(layout.preset.string()));
}

[[noreturn]] void fail_ambiguous(const ModelRequest& request, const std::vector<ModelLayout>& models) {
  std::vector<std::string> names;
  std::vector<std::string> choices;
  for (const ModelLayout& layout : models) {
    const std::string preset = layout.preset.filename().string();
    names.push_back(layout.transformer.string() + (preset.empty() ? "" : fmt::format(" ({})", preset)));
    choices.push_back(choice_of(layout));
  }
  const std::string problem =
      request.preset ? fmt::format("none for {}", request.preset->filename().string()) : "expected one";
  fail(ErrorKind::model,
       fmt::format("{} {}: found {} models, {}: {}", request.folder_origin, *request.folder, models.size(), problem,
                   fmt::join(names, ", ")),
       fmt::format("{}", fmt::join(choices, " or ")));
}

ModelLayout choose_model(const ModelRequest& request, const std::vector<ModelLayout>& models) {
  if (models.empty()) {
    fail(
        ErrorKind::model,
        fmt::format("{} {}: not a model folder: expected model.yaml, transformer/, vae.safetensors or vae.pth and t5/, "
                    "or the official release tree",
                    request.folder_origin, *request.folder));
  }
  if (models.size() == 1) return models.front();
  if (request.preset) {
    std::error_code ignored;
    for (const ModelLayout& model : models) {
      if (fs::equivalent(model.preset, *request.preset, ignored)) return model;
    }
  }
  fail_ambiguous(request, models);
}

void check_complete(const ModelRequest& request, const ModelLayout& layout) {
  std::vector<std::string> found;
  std::vector<std::string> missing;
  for (const ModelPart& part : model_parts(layout)) {
    (part.found ? found : missing).push_back(fmt::format("{} ({})", part.name, part.path.string()));
  }
  if (missing.empty()) return;
  fail(ErrorKind::model,
       fmt::format("{} {}: incomplete: missing {}; found {}", request.folder_origin, *request.folder,
                   fmt::join(missing, ", "), found.empty() ? "nothing" : fmt::format("{}", fmt::join(found, ", "))),
       "faststar info " + shell_quoted(*request.folder));
}

ModelPreset preset_of(const ModelRequest& request, const ModelLayout& layout) {
  if (request.preset) return read_preset(*request.preset);
  if (!layout.preset.empty()) return read_preset(layout.preset);
  fail(ErrorKind::model,
       fmt::format("{} {}: no model.yaml, and the name of the folder matches no preset", request.folder_origin,
                   *request.folder),
       fmt::format("--config {}", fmt::join(preset_names(), " or --config ")));
}

/// The embedded model, or another preset's architecture with random weights.
ModelFolder resolve_without_folder(const ModelRequest& request) {
  const fs::path folder = embedded_model_dir();
  const ModelLayout layout = own_layout(folder);
  std::error_code ignored;
  if (layout.preset.empty() && !request.preset) {
    fail(ErrorKind::model, fmt::format("{}: the model that comes with faststar is missing", folder.string()),
         "--model DIR takes another; `cmake --install` brings it back");
  }
  if (!request.preset || fs::equivalent(*request.preset, layout.preset, ignored)) {
    return {.folder = folder,
            .preset = read_preset(layout.preset),
            .layout = layout,
            .embedded = true,
            .random_weights = request.random_weights};
  }
  if (!request.random_weights) {
    fail(ErrorKind::model,
         fmt::format("{}: this preset needs weights, but no model folder is given", request.preset->string()),
         "use --model DIR or FASTSTAR_MODEL; --random-weights tests speed and memory without weights");
  }
  return {.folder = {}, .preset = read_preset(*request.preset), .layout = {}, .random_weights = true};
}

ModelFolder resolve_folder(const ModelRequest& request) {
  if (!is_there(*request.folder)) {
    fail(ErrorKind::model, fmt::format("{} {}: no such folder", request.folder_origin, *request.folder),
         "configs/README.md says how to get the official weights");
  }
  ModelFolder model;
  model.folder = *request.folder;
  model.layout = choose_model(request, find_models(model.folder));
  model.preset = preset_of(request, model.layout);
  model.random_weights = request.random_weights;
  if (!model.random_weights) check_complete(request, model.layout);
  return model;
}

}  // namespace

ModelLayout own_layout(const fs::path& folder) {
  const fs::path preset = folder / "model.yaml";
  return {is_there(preset) ? preset : fs::path(), folder / "transformer", vae_of(folder), folder / "t5"};
}

fs::path ModelLayout::vocabulary() const { return t5 / "spiece.model"; }

fs::path ModelLayout::words() const { return preset.empty() ? fs::path() : preset.parent_path() / "words.txt"; }

std::vector<ModelLayout> find_models(const fs::path& folder) {
  std::vector<ModelLayout> models;
  if (is_there(folder / "model.yaml") || is_there(folder / "transformer")) models.push_back(own_layout(folder));
  for (const char* name : kOfficialWeights) {
    if (is_there(folder / name)) models.push_back(official_layout(folder, folder / name));
  }
  if (!models.empty() || !holds_weights(folder)) return models;
  const fs::path weights = fs::absolute(folder / ".").lexically_normal().parent_path();
  return {official_layout(weights.parent_path(), weights)};
}

std::vector<ModelPart> model_parts(const ModelLayout& layout) {
  return {{"transformer", layout.transformer, holds_weights(layout.transformer)},
          {"vae", layout.vae, is_there(layout.vae)},
          {"text encoder", layout.t5, holds_weights(layout.t5)},
          {"tokenizer", layout.vocabulary(), is_there(layout.vocabulary())}};
}

ModelFolder resolve_model(const ModelRequest& request) {
  ModelFolder model = request.folder ? resolve_folder(request) : resolve_without_folder(request);
  if (model.random_weights && !model.preset.architecture) {
    fail(ErrorKind::usage,
         fmt::format("--random-weights: {} has no section `architecture`", model.preset.file.string()),
         "--config 720p, 480p or tiny has one");
  }
  return model;
}

std::string preset_name(const ModelFolder& model) {
  std::string name = model.preset.file.stem().string();
  return !model.embedded && preset_file(name) == model.preset.file ? name : "";
}

}  // namespace faststar
