#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/weights/conversion.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/weights.h"
#include "core/config/config_fields.h"
#include "core/config/model_folder.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/model/t5.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/pipeline.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

/// The scope of a command that makes a file from one set of settings; nothing for others.
std::optional<FlagScope> making_scope(const std::string& command) {
  if (command == "t2v") return FlagScope::t2v;
  if (command == "t2i") return FlagScope::t2i;
  if (command == "i2v") return FlagScope::i2v;
  if (command == "v2v") return FlagScope::v2v;
  return std::nullopt;
}

/// Throws Error(input) where making_scope() has nothing.
FlagScope command_scope(const std::string& command, const fs::path& path) {
  if (const auto scope = making_scope(command)) return *scope;
  fail(ErrorKind::input, fmt::format("{}: only files made by t2v, t2i, i2v or v2v have such a command", path.string()));
}

/// What a file of --save-codes says of itself.
Provenance provenance_of_codes(const fs::path& path) {
  SavedCodes codes = read_codes(path);
  return {.command = std::move(codes.command), .settings_json = std::move(codes.settings_json)};
}

Provenance provenance_of(const fs::path& path) {
  const auto provenance =
      lower_extension(path) == ".safetensors" ? std::optional(provenance_of_codes(path)) : read_provenance(path);
  if (!provenance) {
    fail(ErrorKind::input, fmt::format("{}: no faststar settings in this file", path.string()),
         "it was made by another program or with --no-metadata");
  }
  const std::string& command = provenance->command;  // the text is not to be trusted
  if (command != "interact" && !making_scope(command)) {
    fail(ErrorKind::input,
         fmt::format("{}: made by a command that faststar does not have: {}", path.string(), shortened(command)));
  }
  return *provenance;
}

/// A recorded value as its flag accepts it.
std::string as_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return value_text(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const auto& item : value) items.push_back(as_text(item));
  return fmt::format("{}", fmt::join(items, ","));
}

/// False for output paths and for how progress was shown.
bool shapes_the_file(const Field& field) {
  constexpr std::array<std::string_view, 9> kOthers = {"output", "overwrite", "frames_dir", "save_codes", "preview",
                                                       "trace",  "progress",  "quiet",      "json"};
  return std::ranges::find(kOthers, field.name) == kOthers.end();
}

/// The flag that sets a recorded value, nothing for the default. Throws Error(input) when it is none of this setting:
/// the file may come from anywhere.
template <typename T>
std::string flag_of(const fs::path& path, const Field& field, const nlohmann::json& value, const T& standard) {
  const std::string text = as_text(value);
  T parsed{};
  if (value.is_object() || !parse_value(text, field, parsed)) {
    fail(ErrorKind::input, fmt::format("{}: setting {}: expected {}, got {}", path.string(), field.name,
                                       expected_text(field, parsed), shortened(text)));
  }
  if (text == default_text(field, standard)) return "";
  // A flag without a value means true.
  if constexpr (std::is_same_v<T, bool>)
    return fmt::format(" {}{}", flag_name(field.setting()), parsed ? "" : "=false");
  const char* between = text.starts_with("-") ? "=" : " ";  // or it would be read as a flag
  return fmt::format(" {}{}{}", flag_name(field.setting()), between,
                     field.names_path() ? shell_path(text) : shell_quoted(text));
}

/// How info prints what it found.
enum class Print { text, json };

std::string as_line(const nlohmann::ordered_json& json) { return json_text(json, 2) + "\n"; }

/// The settings inside one of our videos or pictures.
std::string describe_media(const fs::path& path, Print print) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::ordered_json::parse(provenance.settings_json);
  if (print == Print::json) {
    const auto run = provenance.run_json.empty() ? nullptr : nlohmann::ordered_json::parse(provenance.run_json);
    return as_line({{"file", path.string()},
                    {"version", provenance.version},
                    {"command", provenance.command},
                    {"run", run},
                    {"settings", settings}});
  }
  const std::string run = provenance.run_json.empty() ? "" : fmt::format("run: {}\n", provenance.run_json);
  return fmt::format("made by faststar {} {}\n{}{}\n", printable(provenance.version), provenance.command, run,
                     json_text(settings, 2));
}

/// Names the recorded settings that no option can bring back.
void warn_of_retired(const fs::path& path, const nlohmann::json& settings) {
  std::vector<std::string> lost;
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    const nlohmann::json value = recorded(settings, setting.section, setting.name);
    if (value.is_null() || keeps_meaning(setting, as_text(value))) continue;
    lost.push_back(
        fmt::format("{}.{} = {} (now always {})", setting.section, setting.name, as_text(value), setting.value));
  }
  if (lost.empty()) return;
  log::warn("{}: the command cannot remake this file exactly: the program no longer has {}", path.string(),
            fmt::join(lost, ", "));
}

/// The command line that makes one of our videos or pictures again.
std::string remake_command(const fs::path& path) {
  const Provenance provenance = provenance_of(path);
  const auto settings = nlohmann::json::parse(provenance.settings_json);
  const FlagScope command = command_scope(provenance.command, path);
  warn_of_retired(path, settings);
  std::string line = "faststar " + provenance.command;
  const auto model = settings.value("model", nlohmann::json::object());
  if (model.contains("preset")) line += fmt::format(" --config {}", shell_quoted(as_text(model["preset"])));
  const Config standards;
  visit_config(standards, [&](std::string_view section, const Field& field, const auto& standard) {
    const nlohmann::json value = recorded(settings, section, field.name);
    if (value.is_null() || !shapes_the_file(field) || !overlap(field.scope, command)) return;
    line += flag_of(path, field, value, standard);
  });
  return line + "\n";
}

/// "407 tensors (bfloat16 407), 8768382112 parameters"
std::string summary(const TensorSource& source) {
  int64_t parameters = 0;
  std::map<std::string, int64_t> tensors_of_dtype;
  for (const auto& [name, info] : source.tensors()) {
    parameters += checked_numel(info.shape).value_or(0);
    ++tensors_of_dtype[dtype_text(info.dtype)];
  }
  std::vector<std::string> dtypes;
  for (const auto& [dtype, number] : tensors_of_dtype) dtypes.push_back(fmt::format("{} {}", dtype, number));
  const std::string converted =
      source.conversion() ? fmt::format(", converted to {}", source.conversion()->precision) : "";
  return fmt::format("{} tensors ({}), {} parameters{}", source.tensors().size(), fmt::join(dtypes, ", "), parameters,
                     converted);
}

/// One line about a part of a model: "found..." when its weights can be read, else what is wrong.
std::string describe_part(const ModelPart& part) {
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
    return fmt::format("damaged or wrong size: {}", error.what());
  }
}

/// Prints the models of a folder: each part found, missing or damaged, with its number of parameters. Returns the exit
/// code: 0 when every part of every model exists and can be opened.
int print_models(const std::vector<ModelLayout>& models, Print print) {
  std::string text;
  auto json = nlohmann::ordered_json::array();
  bool complete = true;
  for (const ModelLayout& layout : models) {
    const std::string name = layout.preset.empty() ? "no model.yaml; use --config" : read_preset(layout.preset).name;
    text += fmt::format("model: {}\n", printable(name));
    json.push_back({{"name", name}, {"parts", nlohmann::ordered_json::array()}});
    for (const ModelPart& part : model_parts(layout)) {
      const std::string state = describe_part(part);
      text += fmt::format("  {:<13} {}: {}\n", part.name, printable(part.path.string()), printable(state));
      json.back()["parts"].push_back({{"name", part.name}, {"path", part.path.string()}, {"state", state}});
      complete = complete && state.starts_with("found");
    }
  }
  print_result(print == Print::json ? as_line({{"models", json}}) : text);
  return complete ? 0 : 1;
}

nlohmann::ordered_json checkpoint_json(const fs::path& path) {
  const auto source = open_checkpoint(path);
  nlohmann::ordered_json json = {
      {"file", path.string()}, {"fingerprint", fingerprint(*source)}, {"metadata", nlohmann::ordered_json::object()}};
  if (lower_extension(path) == ".safetensors") json["metadata"] = open_safetensors(path)->metadata();
  auto& tensors = json["tensors"] = nlohmann::ordered_json::array();
  for (const auto& [name, info] : source->tensors()) {
    tensors.push_back({{"name", name}, {"shape", info.shape}, {"dtype", dtype_text(info.dtype)}});
  }
  return json;
}

/// A checkpoint or codes file: dtypes, parameters, metadata, every tensor with its shape.
std::string describe_checkpoint(const fs::path& path) {
  const auto source = open_checkpoint(path);
  std::string text =
      fmt::format("{}: {}, fingerprint {}\n", printable(path.string()), summary(*source), fingerprint(*source));
  if (lower_extension(path) == ".safetensors") {
    const auto file = open_safetensors(path);  // owns the metadata of the loop
    for (const auto& [key, value] : file->metadata()) text += fmt::format("{}: {}\n", printable(key), printable(value));
  }
  for (const auto& [name, info] : source->tensors()) {
    text += fmt::format("  {} {} {}\n", printable(name), shape_text(info.shape), dtype_text(info.dtype));
  }
  return text;
}

bool is_media(const fs::path& path) {
  const std::string extension = lower_extension(path);
  constexpr std::array<std::string_view, 6> kVideos = {".mp4", ".mkv", ".mov", ".webm", ".gif", ".webp"};
  return std::ranges::find(kVideos, extension) != kVideos.end() || has_picture_name(path);
}

int run_info(const fs::path& path, bool command, Print print) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) fail(ErrorKind::input, fmt::format("{}: no such file or folder", path.string()));
  if (!command && !is_media(path) && fs::is_directory(path, ignored)) {
    const std::vector<ModelLayout> models = find_models(path);
    if (!models.empty()) return print_models(models, print);
  }
  const bool as_json = print == Print::json;
  if (command) {
    const std::string line = remake_command(path);
    print_result(as_json ? as_line({{"command", line.substr(0, line.size() - 1)}}) : line);
  } else if (is_media(path)) {
    print_result(describe_media(path, print));
  } else {
    print_result(as_json ? as_line(checkpoint_json(path)) : describe_checkpoint(path));
  }
  return 0;
}

}  // namespace

Command add_info(CLI::App& app) {
  CLI::App* command = app.add_subcommand("info", "show a model folder, checkpoint, codes file or generated video");
  const auto path = std::make_shared<std::string>();
  const auto remake = std::make_shared<bool>(false);
  command->add_option("PATH", *path, "")->required();
  command->add_flag("--command", *remake, "print the command that remakes the file")->group(kScreenGroup);
  const auto json = std::make_shared<bool>(false);
  add_command_option(*command, "json", *json, "", "print the answer as JSON");
  return {command, [path, remake, json] { return run_info(*path, *remake, *json ? Print::json : Print::text); }};
}

}  // namespace faststar
