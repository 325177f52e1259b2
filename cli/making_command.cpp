#include "cli/making_command.h"

#include <nlohmann/json.hpp>

#include "cli/plan_job.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "core/config/yaml.h"
#include "core/log.h"

namespace faststar {
namespace {

void save_config(const std::string& path, const ResolvedSettings& resolved) {
  const Config& config = resolved.settings.config;
  write_file(path, config_yaml(config, resolved.base), config.output.overwrite ? Existing::replace : Existing::refuse);
}

/// The finished files, or with --dry-run those that would be made.
std::string result_json(const GenerateJob& job, bool dry_run) {
  nlohmann::ordered_json json;
  json["command"] = task_command(job.task);
  json["dry_run"] = dry_run;
  json["outputs"] = nlohmann::ordered_json::array();
  for (const JobOutput& output : job.outputs) {
    nlohmann::ordered_json& item = json["outputs"].emplace_back();
    item["file"] = output.file.string();
    item["seed"] = output.seed;
    item["width"] = job.size.width;
    item["height"] = job.size.height;
    item["frames"] = job.size.frames;
    item["settings"] = nlohmann::ordered_json::parse(output.settings_json);
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_making_command(Task task, MakingOptions options) {
  apply_option_environment(options);
  ResolvedSettings resolved = resolve_settings(options.settings);
  const RuntimeConfig runtime = resolved.settings.config.runtime;
  log::set_quiet(runtime.quiet);
  const GenerateJob job = plan_job(task, resolved);
  if (!options.save_config.empty()) save_config(options.save_config, resolved);
  for (const std::string& line : describe_job(job)) log::info("{}", line);
  if (options.dry_run) {
    check_generation(job);
  } else {
    ProgressDisplay progress(runtime.quiet ? ProgressStyle::none : runtime.progress);
    const auto files = run_generation(job, progress);
    if (!runtime.json) print_paths(files);
  }
  if (runtime.json) print_result(result_json(job, options.dry_run));
  return 0;
}

}  // namespace faststar
