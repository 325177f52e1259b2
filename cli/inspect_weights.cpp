#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "cli/inspect.h"
#include "core/base/error.h"
#include "core/base/weights/checkpoint.h"
#include "core/base/weights/fingerprint.h"
#include "core/base/weights/safetensors.h"
#include "core/media/extension.h"
#include "core/model/text/tokenizer.h"
#include "core/pipeline/open_model.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

struct Totals {
  int64_t parameters = 0;
  std::map<std::string, int64_t> tensors_of_dtype;
};

Totals count(const TensorSource& source) {
  Totals totals;
  for (const auto& [name, info] : source.tensors()) {
    totals.parameters += checked_numel(info.shape).value_or(0);
    ++totals.tensors_of_dtype[dtype_text(info.dtype)];
  }
  return totals;
}

/// "407 tensors (bfloat16 407), 8768382112 parameters"
std::string summary(const TensorSource& source) {
  const Totals totals = count(source);
  std::vector<std::string> dtypes;
  for (const auto& [dtype, number] : totals.tensors_of_dtype) dtypes.push_back(fmt::format("{} {}", dtype, number));
  return fmt::format("{} tensors ({}), {} parameters", source.tensors().size(), fmt::join(dtypes, ", "),
                     totals.parameters);
}

/// One part of a model, in words; `opened` says whether its weights could be read.
std::string describe_part(const ModelPart& part, bool& opened) {
  opened = part.found;
  if (!part.found) return "missing";
  try {
    if (part.path.filename() == "spiece.model") {
      const Tokenizer loads(part.path);
      return "found";
    }
    const auto source = open_checkpoint(part.path);
    if (part.name == "transformer") check_transformer(source);
    if (part.name == "vae") check_vae(source);
    if (part.name == "text encoder") check_text_encoder(source, part.path);
    return "found, " + summary(*source);
  } catch (const Error& error) {
    opened = false;
    return fmt::format("damaged or of the wrong size: {}", error.what());
  }
}

std::string notes_of(const fs::path& path) {
  if (lower_extension(path) != ".safetensors") return "";
  std::string lines;
  const auto file = open_safetensors(path);  // owns what the loop goes over
  for (const auto& [key, text] : file->metadata()) lines += fmt::format("{}: {}\n", key, text);
  return lines;
}

}  // namespace

ModelReport describe_models(const fs::path& folder) {
  ModelReport report;
  for (const ModelLayout& layout : find_models(folder)) {
    const std::string name = layout.preset.empty() ? "no model.yaml; give --config" : read_preset(layout.preset).name;
    report.text += fmt::format("model: {}\n", name);
    for (const ModelPart& part : model_parts(layout)) {
      bool opened = false;
      const std::string state = describe_part(part, opened);
      report.text += fmt::format("  {:<13} {}: {}\n", part.name, part.path.string(), state);
      report.complete = report.complete && opened;
    }
  }
  return report;
}

std::string describe_checkpoint(const fs::path& path) {
  const auto source = open_checkpoint(path);
  std::string text = fmt::format("{}: {}, fingerprint {}\n", path.string(), summary(*source), fingerprint(*source));
  text += notes_of(path);
  for (const auto& [name, info] : source->tensors()) {
    text += fmt::format("  {} {} {}\n", name, shape_text(info.shape), dtype_text(info.dtype));
  }
  return text;
}

}  // namespace faststar
