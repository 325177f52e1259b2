#include <filesystem>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/log.h"
#include "core/lab/study/reduction_study.h"
#include "core/lab/study/report.h"

namespace faststar {
namespace {

struct StudyCommand {
  StudyRequest request;
  bool report = false;
};

int run_study_command(const StudyCommand& command) {
  const StudyRequest& request = command.request;
  const auto show_progress = [](const RuntimeConfig& runtime) {
    stop_in_two_stages();
    return std::make_unique<ProgressDisplay>(runtime);
  };
  const bool only_report = command.report && request.prompts.empty() && request.world == 0;
  const bool whole = only_report || run_reduction_study(request, show_progress) == 1;
  if (whole || command.report) {
    print_result(write_study_report(request.out));
    log::info("page: {}", (std::filesystem::path(request.out) / "study.html").string());
  }
  return 0;
}

}  // namespace

Command add_study(CLI::App& app) {
  CLI::App* study = app.add_subcommand("study", "compare methods");
  study->require_subcommand(1);
  CLI::App* command =
      study->add_subcommand("reduction", "token reduction: speed, and fidelity to the dense and the true clips");
  const auto options = std::make_shared<StudyCommand>();
  add_command_option(*command, "out", options->request.out, "DIR", "output folder; resumes an earlier study");
  command->get_option("--out")->required();
  add_command_option(*command, "world", options->request.world, "N", "N held-out prompts of the embedded model");
  add_command_option(*command, "prompts", options->request.prompts, "FILE", "prompt list, in the formats of batch");
  add_command_option(*command, "seed", options->request.seed, "S", "seed of captions and videos (0)");
  add_command_option(*command, "study", options->request.study, "NAME|FILE",
                     "file with the variants (study-reduction)");
  add_command_option(*command, "variants", options->request.variants, "NAME,NAME", "run only these variants");
  add_command_option(*command, "shard", options->request.shard, "I/N|array", "run part I of N, or a Slurm array's");
  add_command_option(*command, "no_controls", options->request.no_controls, "", "leave out other seed and noise floor",
                     kMoreGroup);
  add_command_option(*command, "report", options->report, "", "only write the table, JSON and HTML page");
  add_setting_options(*command,
                      {"model", "random_weights", "duration", "resolution", "aspect", "guidance", "tau_image",
                       "tau_video", "device", "precision", "fp8_scales", "attention", "attention_precision", "kernels",
                       "progress", "quiet", "ratios", "p_norm", "reduce_scales"},
                      options->request.settings);
  return {command, [options] { return run_study_command(*options); }};
}

}  // namespace faststar
