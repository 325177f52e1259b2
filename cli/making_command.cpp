#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/run.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

/// Makes the files of `plan`, and prints their paths unless the result is printed as JSON. Returns the exit code.
int make_files(const Pipeline& pipeline, const Plan& plan, const RuntimeConfig& runtime) {
  stop_in_two_stages();
  ProgressDisplay progress(runtime);
  const RunResult result = run_plan(pipeline, plan, progress, [&](const std::filesystem::path& file) {
    if (!runtime.json) print_path(file);
  });
  return result.side_error.empty() ? 0 : exit_code(ErrorKind::output);
}

/// The finished files; for a dry run, those that would be made.
std::string result_json(const Request& request, bool dry_run) {
  nlohmann::ordered_json json = {
      {"command", task_command(request.task)}, {"dry_run", dry_run}, {"outputs", nlohmann::ordered_json::array()}};
  for (const RequestedOutput& output : request.outputs) {
    json["outputs"].push_back({{"file", output.file.string()},
                               {"seed", output.seed},
                               {"width", request.size.width},
                               {"height", request.size.height},
                               {"frames", request.frames_shown()},
                               {"settings", nlohmann::ordered_json::parse(output.settings_json)}});
  }
  return json_text(json, 2) + "\n";
}

/// Resolves and checks the settings, logs the plan and runs it. Returns the exit code.
int run_making_command(Task task, MakingOptions options) {
  ResolvedSettings resolved = resolve_options(options);
  const RuntimeConfig runtime = resolved.settings.config.runtime;
  const Request request = make_request(task, resolved);
  save_config(options, resolved);
  for (const std::string& line : describe(request)) log::info("{}", line);
  warn_about_untrained_use(request);
  Model model(request.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, request);
  const int code = options.dry_run ? 0 : make_files(pipeline, plan, runtime);
  if (runtime.json) print_result(result_json(request, options.dry_run));
  return code;
}

/// A command that makes one file per seed from one prompt.
Command add_making(CLI::App& app, Task task, FlagScope scope, const char* description) {
  CLI::App* command = app.add_subcommand(task_command(task), description);
  const auto options = std::make_shared<MakingOptions>();
  add_making_options(*command, scope, *options);
  return {command, [task, options] { return run_making_command(task, *options); }};
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
  if (folder.is_string()) log::info("made with: --model {}", shell_quoted(folder.get<std::string>()));
  const ResolvedSettings resolved = resolve_options(options);
  const RuntimeConfig& runtime = resolved.settings.config.runtime;
  const Request request = make_decode_request(std::move(codes), file, resolved);
  log::info("model: {}", describe_model(request.setup.model));
  Model model(request.setup);
  const Pipeline pipeline(model);
  const Plan plan = make_plan(pipeline, request);
  save_config(options, resolved);
  if (options.dry_run) return 0;
  const int code = make_files(pipeline, plan, runtime);
  const std::string output = request.outputs.front().file.string();
  if (runtime.json) print_result(json_text(nlohmann::json{{"command", "decode"}, {"file", output}}, 2) + "\n");
  return code;
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
