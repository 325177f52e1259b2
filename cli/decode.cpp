#include <fmt/format.h>

#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/help.h"
#include "cli/options/options.h"
#include "cli/progress/progress.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "core/base/log.h"
#include "core/config/yaml.h"
#include "core/pipeline/redecode.h"

namespace faststar {
namespace {

struct DecodeCommandOptions {
  std::string codes;
  MakingOptions making;
};

/// A value in settings JSON; null when absent.
nlohmann::json setting(const nlohmann::json& settings, const char* section, const char* key) {
  const auto group = settings.find(section);
  return group != settings.end() && group->is_object() ? group->value(key, nlohmann::json()) : nlohmann::json();
}

/// Uses the settings saved with the codes where none are given.
void remember(const nlohmann::json& settings, SettingsRequest& request) {
  const nlohmann::json model = setting(settings, "model", "model");
  const nlohmann::json preset = setting(settings, "model", "preset");
  const nlohmann::json first_frame = setting(settings, "generate", "first_frame");
  if (model.is_string()) request.remembered["model"] = model;
  if (preset.is_string()) request.remembered_preset = preset;
  if (first_frame.is_string()) request.remembered["first_frame"] = first_frame;
  if (setting(settings, "model", "random_weights") == true) request.remembered["random_weights"] = "true";
}

/// The settings of the codes, with the output section of this command.
std::string settings_now(const SavedCodes& codes, const Config& config) {
  auto settings = nlohmann::ordered_json::parse(codes.settings_json);
  settings["output"] = config_json(config)["output"];
  settings["generate"]["first_frame"] = choice_name(config.generate.first_frame);
  return settings.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

RedecodeJob plan_decode(const SavedCodes& codes, const std::string& codes_file, const ResolvedSettings& resolved) {
  const Config& config = resolved.settings.config;
  const auto settings = nlohmann::json::parse(codes.settings_json);
  const Task task = codes.clips.size() == 1 && codes.clips[0].size(2) == 1 ? Task::text_to_image : Task::text_to_video;
  const nlohmann::json prompt = setting(settings, "prompt", "prompt");
  const nlohmann::json seed = setting(settings, "sampling", "seed");
  const auto outputs = choose_outputs(task, config.output, prompt.is_string() ? prompt.get<std::string>() : "video",
                                      {seed.is_number_integer() ? seed.get<int64_t>() : 0});
  spare_inputs(files_of(outputs), {codes_file});
  RedecodeJob job{.codes = codes,
                  .output = outputs.front(),
                  .encoding = config.output.encoding,
                  .metadata = config.output.no_metadata ? Metadata::leave_out : Metadata::write,
                  .existing = config.output.overwrite ? Existing::replace : Existing::refuse,
                  .first_frame = config.generate.first_frame};
  job.output.settings_json = settings_now(codes, config);
  const bool without_source = codes.command == "v2v" && setting(settings, "generate", "only_new") == true;
  if (without_source) job.clips_left_out = 2;
  if (codes.command == "v2v" && !without_source) log::info("the sound of the input video is not saved with the codes");
  return job;
}

int run_decode(DecodeCommandOptions options) {
  apply_option_environment(options.making);
  const SavedCodes codes = read_codes(options.codes);
  remember(nlohmann::json::parse(codes.settings_json), options.making.settings);
  const ResolvedSettings resolved = resolve_settings(options.making.settings);
  const RuntimeConfig& runtime = resolved.settings.config.runtime;
  log::set_quiet(runtime.quiet);
  const RedecodeJob job = plan_decode(codes, options.codes, resolved);
  Model model(model_setup(resolved));
  log::info("model: {}", describe_model(model.setup().model));
  check_redecode(model, job);
  save_config(options.making, resolved);
  if (options.making.dry_run) return 0;
  stop_in_two_stages();
  ProgressDisplay progress(runtime.quiet ? ProgressStyle::none : runtime.progress);
  redecode(model, job, progress);
  if (!runtime.json) {
    print_path(job.output.file);
  } else {
    print_result(nlohmann::json{{"command", "decode"}, {"file", job.output.file.string()}}.dump(
                     2, ' ', false, nlohmann::json::error_handler_t::replace) +
                 "\n");
  }
  return 0;
}

}  // namespace

Command add_decode(CLI::App& app) {
  CLI::App* command = app.add_subcommand("decode", "decode saved codes with other output options");
  const auto options = std::make_shared<DecodeCommandOptions>();
  command->add_option("CODES", options->codes, "a file of --save-codes")->required();
  add_making_options(*command, FlagScope::decode, options->making);
  return {command, [options] { return run_decode(*options); }};
}

}  // namespace faststar
