#include "core/pipeline/convert.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/resolve.h"
#include "core/pipeline/pipeline.h"

namespace faststar {
namespace {

struct ConvertCommand {
  std::string model;
  std::string output;
  std::string config;
  std::string precision = "bf16";
  std::string progress = "auto";
  bool overwrite = false;
  bool quiet = false;
  bool json = false;
};

/// What --precision says of the linear layers.
LinearPrecision linears_of(const std::string& precision) {
  if (precision == "bf16") return LinearPrecision::backbone;
  if (precision == "fp8") return LinearPrecision::fp8;
  fail(ErrorKind::usage, fmt::format("--precision: expected bf16 or fp8, got {}", precision));
}

ModelFolder model_of(const ConvertCommand& command) {
  ModelRequest request{.folder = command.model, .folder_origin = "convert", .preset = {}};
  if (!command.config.empty()) request.preset = follow_config(command.config).preset;
  return resolve_model(request);
}

int run_convert(const ConvertCommand& command) {
  log::set_quiet(command.quiet);
  const LinearPrecision linears = linears_of(command.precision);
  const ModelFolder model = model_of(command);
  log::info("model: {}", describe_model(model));
  const ConversionPlan plan{.folder = command.output, .existing = replace_if(command.overwrite), .linears = linears};
  stop_in_two_stages();
  const auto start = std::chrono::steady_clock::now();
  int64_t bytes = 0;
  {
    RuntimeConfig shown;
    shown.progress = parse_choice<ProgressStyle>("--progress", command.progress);
    shown.quiet = command.quiet;
    ProgressDisplay progress(shown);
    bytes = convert_model(model, plan, progress);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log::info("{}: {:.2f} GB in {}, {:.1f} s", command.output, static_cast<double>(bytes) * 1e-9, command.precision,
            seconds);
  if (command.json) {
    const nlohmann::ordered_json result = {{"folder", command.output},
                                           {"model", command.model},
                                           {"precision", command.precision},
                                           {"bytes", bytes},
                                           {"seconds", seconds}};
    print_result(json_text(result) + "\n");
  } else {
    print_path(command.output);
  }
  return 0;
}

}  // namespace

Command add_convert(CLI::App& app) {
  CLI::App* command = app.add_subcommand("convert", "write a model folder that loads faster");
  const auto options = std::make_shared<ConvertCommand>();
  command->add_option("MODEL", options->model, "a model folder")->required();
  command->add_option("-o,--output", options->output, "the folder to write")
      ->type_name("DIR")
      ->envname(environment_name("output"))
      ->group(kScreenGroup)
      ->required();
  add_command_option(*command, "config", options->config, "NAME|FILE", "preset of the model, where it has none");
  add_command_option(*command, "precision", options->precision, "NAME", "bf16 (the default) or fp8");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace an earlier conversion");
  add_command_option(*command, "progress", options->progress, "STYLE", "auto, bar, plain, json or none");
  add_command_option(*command, "json", options->json, "", "print the result as JSON");
  command->add_flag("-q,--quiet", options->quiet, "print only warnings and errors")->group(kScreenGroup);
  return {command, [options] { return run_convert(*options); }};
}

}  // namespace faststar
