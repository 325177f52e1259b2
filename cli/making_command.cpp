#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/prompt.h"
#include "core/pipeline/run.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

/// The finished files and what they took; for a dry run, null, those that would be made and what they would take.
nlohmann::ordered_json result_json(const std::string& command, const Plan& plan, const RunResult* result) {
  const Request& request = plan.request;
  nlohmann::ordered_json json = {
      {"command", command}, {"dry_run", result == nullptr}, {"outputs", nlohmann::ordered_json::array()}};
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    const RequestedOutput& output = request.outputs[i];
    nlohmann::ordered_json file = {{"file", output.file.string()},
                                   {"seed", output.seed},
                                   {"width", request.size.width},
                                   {"height", request.size.height},
                                   {"frames", request.frames_shown()}};
    if (result != nullptr) file["seconds"] = result->output_seconds.at(i);
    file["settings"] = nlohmann::ordered_json::parse(output.settings_json);
    json["outputs"].push_back(std::move(file));
  }
  if (result != nullptr) {
    json["peak_memory_bytes"] = peak_memory_bytes(result->peak_bytes);
  } else {
    json.update(to_json(plan.time));
  }
  return json;
}

/// Makes the files of `plan`, unless it is a dry run, and prints their paths or the result as JSON. Returns the exit
/// code.
int make_files(const std::string& command, const Pipeline& pipeline, const Plan& plan, const RuntimeConfig& runtime,
               bool dry_run) {
  std::optional<RunResult> result;
  if (!dry_run) {
    stop_in_two_stages();
    ProgressDisplay progress(pipeline.group().is_first() ? shown_style(runtime) : ProgressStyle::none);
    result = run_plan(pipeline, plan, progress, [&](const std::filesystem::path& file) {
      if (!runtime.json) print_path(file);
    });
  }
  if (runtime.json) {
    auto json = result_json(command, plan, result ? &*result : nullptr);
    if (command == "decode") json["file"] = plan.request.outputs.front().file.string();
    print_result(json_text(json, 2) + "\n");
  }
  return !result || result->side_error.empty() ? 0 : exit_code(ErrorKind::output);
}

/// The prompt of --prompt -: stdin is the first process's.
void share_prompt(ProcessGroup& group, Settings& settings) {
  PromptConfig& prompt = settings.config.prompt;
  if (group.size() == 1 || prompt.prompt != "-" || prompt.prompt_file) return;
  prompt.prompt = group.agree_text(group.is_first() ? read_prompt(settings) : "");
}

/// Resolves and checks the settings, logs the plan and runs it. Returns the exit code.
int run_making_command(const CLI::App& app, Task task, MakingOptions options) {
  const std::vector<std::string> devices = choose_devices(options.devices, options.settings.flags);
  ResolvedSettings resolved = resolve_options(options);
  const RuntimeConfig runtime = resolved.settings.config.runtime;
  if (!devices.empty() && !options.dry_run) return make_together(app, devices, resolved.settings.config);
  join_group(resolved, devices);
  ProcessGroup& group = *resolved.group;
  share_prompt(group, resolved.settings);
  const Request request = make_request(task, resolved);
  if (group.is_first()) save_config(options, resolved);
  for (const std::string& line : describe(request)) log::info("{}", line);
  warn_about_untrained_use(request);
  Model model(request.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, request);
  log::info("time: {}", time_text(plan.time));
  const int code = make_files(task_command(task), pipeline, plan, runtime, options.dry_run);
  group.leave();
  return code;
}

/// A command that makes one file per seed from one prompt.
Command add_making(CLI::App& app, Task task, FlagScope scope, const char* description) {
  CLI::App* command = app.add_subcommand(task_command(task), description);
  const auto options = std::make_shared<MakingOptions>();
  add_making_options(*command, scope, *options);
  return {command, [command, task, options] { return run_making_command(*command, task, *options); }};
}

/// Uses the settings saved with the codes where none are given. Not their model folder: a file must not choose what is
/// opened.
void remember(const nlohmann::json& settings, SettingsRequest& request) {
  const nlohmann::json preset = recorded(settings, "model", "preset");
  const nlohmann::json first_frame = recorded(settings, "generate", "first_frame");
  if (preset.is_string()) request.remembered_preset = preset;
  if (first_frame.is_string()) request.remembered["first_frame"] = first_frame;
  if (recorded(settings, "model", "random_weights") == true) request.remembered["random_weights"] = "true";
}

int run_decode(const std::string& file, MakingOptions options) {
  SavedCodes codes = read_codes(file);
  const auto saved = nlohmann::json::parse(codes.settings_json);
  remember(saved, options.settings);
  const nlohmann::json folder = recorded(saved, "model", "model");
  if (folder.is_string()) log::info("made with: --model {}", shell_path(folder.get<std::string>()));
  const ResolvedSettings resolved = resolve_options(options);
  const RuntimeConfig& runtime = resolved.settings.config.runtime;
  const Request request = make_decode_request(std::move(codes), file, resolved);
  log::info("model: {}", describe_model(request.setup.model));
  Model model(request.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, request);
  log::info("time: {}", time_text(plan.time));
  save_config(options, resolved);
  return make_files("decode", pipeline, plan, runtime, options.dry_run);
}

}  // namespace

Command add_t2v(CLI::App& app) { return add_making(app, Task::text_to_video, FlagScope::t2v, "text to video"); }
Command add_t2i(CLI::App& app) { return add_making(app, Task::text_to_image, FlagScope::t2i, "text to image"); }
Command add_i2v(CLI::App& app) { return add_making(app, Task::image_to_video, FlagScope::i2v, "image to video"); }
Command add_v2v(CLI::App& app) { return add_making(app, Task::video_to_video, FlagScope::v2v, "continue a video"); }

Command add_decode(CLI::App& app) {
  CLI::App* command = app.add_subcommand("decode", "decode saved codes with other output options");
  const auto codes = std::make_shared<std::string>();
  const auto options = std::make_shared<MakingOptions>();
  command->add_option("CODES", *codes, "a file of --save-codes")->required();
  add_making_options(*command, FlagScope::decode, *options);
  return {command, [codes, options] { return run_decode(*codes, *options); }};
}

}  // namespace faststar
