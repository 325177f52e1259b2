#include <CLI/App.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/progress.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/settings.h"
#include "core/pipeline/run.h"

namespace faststar {
namespace {

struct DecodeCommandOptions {
  std::string codes;
  MakingOptions making;
};

/// Uses the settings saved with the codes where none are given.
void remember(const nlohmann::json& settings, SettingsRequest& request) {
  const nlohmann::json model = recorded(settings, "model", "model");
  const nlohmann::json preset = recorded(settings, "model", "preset");
  const nlohmann::json first_frame = recorded(settings, "generate", "first_frame");
  if (model.is_string()) request.remembered["model"] = model;
  if (preset.is_string()) request.remembered_preset = preset;
  if (first_frame.is_string()) request.remembered["first_frame"] = first_frame;
  if (recorded(settings, "model", "random_weights") == true) request.remembered["random_weights"] = "true";
}

int run_decode(DecodeCommandOptions options) {
  SavedCodes codes = read_codes(options.codes);
  remember(nlohmann::json::parse(codes.settings_json), options.making.settings);
  const ResolvedSettings resolved = resolve_options(options.making);
  const RuntimeConfig& runtime = resolved.settings.config.runtime;
  const Request request = make_decode_request(std::move(codes), options.codes, resolved);
  log::info("model: {}", describe_model(request.setup.model));
  Model model(request.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, request);
  save_config(options.making, resolved);
  if (options.making.dry_run) return 0;
  stop_in_two_stages();
  ProgressDisplay progress(runtime);
  run_plan(pipeline, plan, progress, [&](const std::filesystem::path& file) {
    if (!runtime.json) return print_path(file);
    print_result(json_text(nlohmann::json{{"command", "decode"}, {"file", file.string()}}, 2) + "\n");
  });
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
