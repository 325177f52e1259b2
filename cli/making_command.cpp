#include <CLI/App.hpp>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/progress.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/inputs.h"
#include "core/pipeline/run.h"

namespace faststar {
namespace {

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
  if (!options.dry_run) {
    stop_in_two_stages();
    ProgressDisplay progress(runtime);
    run_plan(pipeline, plan, progress, [&](const std::filesystem::path& file) {
      if (!runtime.json) print_path(file);
    });
  }
  if (runtime.json) print_result(result_json(request, options.dry_run));
  return 0;
}

FlagScope scope_of(Task task) {
  constexpr std::array scopes = {FlagScope::t2v, FlagScope::t2i, FlagScope::i2v, FlagScope::v2v};
  return scopes[static_cast<size_t>(task)];
}

/// A command that makes one file per seed from one prompt.
Command add_making_command(CLI::App& app, Task task, const char* description) {
  CLI::App* command = app.add_subcommand(task_command(task), description);
  const auto options = std::make_shared<MakingOptions>();
  add_making_options(*command, scope_of(task), *options);
  return {command, [task, options] { return run_making_command(task, *options); }};
}

}  // namespace

Command add_t2v(CLI::App& app) { return add_making_command(app, Task::text_to_video, "text to video"); }
Command add_t2i(CLI::App& app) { return add_making_command(app, Task::text_to_image, "text to image"); }
Command add_i2v(CLI::App& app) { return add_making_command(app, Task::image_to_video, "image to video"); }
Command add_v2v(CLI::App& app) { return add_making_command(app, Task::video_to_video, "continue a video"); }

}  // namespace faststar
