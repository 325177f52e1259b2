#include "core/pipeline/untrained_use.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/value.h"
#include "core/media/metadata.h"
#include "core/model/pyramid/schedule.h"

namespace faststar {
namespace {

/// True when this model made the file.
bool made_by(const ModelPreset& model, const std::filesystem::path& file) {
  const auto provenance = read_provenance(file);
  return provenance && recorded(nlohmann::json::parse(provenance->settings_json), "model", "name") == model.name;
}

/// Names the words of the prompt that are not in the list of those that the model was trained with, where it has one.
void warn_about_words(const ModelPreset& preset, const std::filesystem::path& list, const std::string& prompt) {
  std::ifstream file(list);
  if (!file) return;
  const std::set<std::string> known{std::istream_iterator<std::string>(file), {}};
  std::vector<std::string> unknown = words_in(prompt);
  std::erase_if(unknown, [&](const std::string& word) { return known.contains(word); });
  if (unknown.empty()) return;
  log::warn("{} does not know {}: its words are in {}; --model DIR takes a model that knows more", preset.name,
            shortened(fmt::format("{}", fmt::join(unknown, ", "))), list.string());
}

/// The embedded model was trained for one shape; the official ones for all.
void warn_about_shape(const ModelPreset& preset, const VideoSize& size) {
  const Aspect trained = preset.settings.config.generate.aspect;
  if (size.aspect_key == nearest_aspect_key(static_cast<double>(trained.height) / trained.width)) return;
  log::warn("{} was trained for --aspect {} only: another shape will not be meaningful", preset.name,
            value_text(trained));
}

bool is_untrained_interactive(const Request& request) {
  return request.task == Task::interactive && !request.setup.model.preset.interactive;
}

}  // namespace

void warn_about_untrained_use(const Request& request) {
  const ModelFolder& model = request.setup.model;
  if (is_untrained_interactive(request)) {
    log::warn("{} was not trained for {}: the output will not be meaningful; use the model of --config 480p-interact",
              model.preset.name, task_command(request.task));
  }
  if (model.random_weights) return;
  warn_about_words(model.preset, model.layout.words(), request.prompt);
  if (model.embedded) warn_about_shape(model.preset, request.size);
}

void warn_about_untrained_source(const Request& request) {
  const ModelFolder& model = request.setup.model;
  if (!model.embedded || is_untrained_interactive(request) || made_by(model.preset, request.source->file)) return;
  log::warn("{} only knows simple shapes: with other images and videos the output will not be meaningful",
            model.preset.name);
}

}  // namespace faststar
