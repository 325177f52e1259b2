#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/lab/evaluate/evaluation_run.h"

namespace faststar {
namespace {

struct EvaluateCommand {
  EvaluationRequest request;
  bool json = false;
};

int run_evaluate(const EvaluateCommand& command) {
  const Evaluation evaluation = run_evaluation(command.request, [](const RuntimeConfig& runtime) {
    stop_in_two_stages();
    return std::make_unique<ProgressDisplay>(runtime.progress);
  });
  if (command.json) {
    print_result(evaluation_json(evaluation));
  } else {
    print_path(command.request.output);
  }
  return 0;
}

}  // namespace

Command add_evaluate(CLI::App& app) {
  CLI::App* command = app.add_subcommand("evaluate", "measure a model of the embedded kind on held-out clips");
  const auto options = std::make_shared<EvaluateCommand>();
  add_command_option(*command, "output", options->request.output, "DIR", "output folder (evaluation)");
  const auto add = [&](std::string_view name, FieldTexts& texts, const char* argument, const char* help,
                       const auto& group) {
    const auto set = [&texts, key = std::string(name)](const std::string& value) { texts[key] = value; };
    command->add_option_function<std::string>(flag_name(name), set, help)->type_name(argument)->group(group);
  };
  add("model", options->request.model, "DIR", "a model folder (the embedded model)", kScreenGroup);
  add("device", options->request.model, "NAME", "cpu, cuda or cuda:N", kScreenGroup);
  add("precision", options->request.model, "NAME", "fp32, bf16 or fp8", kScreenGroup);
  add("guidance", options->request.model, "X", "guidance scale (default: from the model)", kMoreGroup);
  add("progress", options->request.model, "STYLE", "auto, bar, plain, json or none", kMoreGroup);
  add_command_option(*command, "training", options->request.training, "NAME|FILE", "recipe of the model (train-tiny)");
  add_command_option(*command, "stage", options->request.stage, "NAME", "stage of the recipe (the last one)");
  add_command_option(*command, "log", options->request.log, "FILE", "training log.jsonl, to write MODEL.md");
  add_command_option(*command, "commit", options->request.commit, "TEXT", "training commit, recorded in MODEL.md");
  add_command_option(*command, "quick", options->request.quick, "", "use a tenth of the clips");
  add_command_option(*command, "json", options->json, "", "print the results as JSON");
  add_command_option(*command, "overwrite", options->request.overwrite, "", "replace existing results");
  const EvaluationSettings defaults;
  visit_fields(defaults, [&](const Field& field, int) {
    add(field.name, options->request.counts, "N", field.help.data(), kMoreGroup);
  });
  return {command, [options] { return run_evaluate(*options); }};
}

}  // namespace faststar
