#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/log.h"
#include "core/lab/metrics/file_comparison.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

struct CompareCommand {
  ComparisonRequest request;
  bool json = false;
  bool overwrite = false;
  std::string csv;
};

void check_outputs(const CompareCommand& command) {
  for (const std::string& file : {command.csv, command.request.side_by_side}) {
    if (file.empty()) continue;
    check_writable(file, replace_if(command.overwrite));
    spare_inputs(file, {command.request.a, command.request.b});
  }
}

int run_compare(CompareCommand command) {
  const int64_t skip = command.request.skip;
  if (skip < 0) fail(ErrorKind::usage, fmt::format("--skip {}: expected 0 or more", skip));
  check_outputs(command);
  command.request.existing = replace_if(command.overwrite);
  const FileComparison comparison = compare_files(command.request);
  const auto& frames = comparison.frames;
  if (!command.csv.empty()) write_file(command.csv, comparison_csv(comparison), command.request.existing);
  print_result(command.json ? to_json(summarize_fidelity(frames)) + "\n" : comparison_table(comparison));
  const bool starts_alike = skip == 0 && frames.size() > 1 && frames.front().mse == 0;
  if (starts_alike) log::info("frame 0 is identical in both files; --skip 1 leaves it out");
  return 0;
}

}  // namespace

Command add_compare(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compare", "difference of two videos or pictures: PSNR, SSIM, LPIPS");
  const auto options = std::make_shared<CompareCommand>();
  command->add_option("A", options->request.a, "")->required();
  command->add_option("B", options->request.b, "")->required();
  add_command_option(*command, "skip", options->request.skip, "N", "skip the first N frames (0)");
  add_command_option(*command, "json", options->json, "", "print the result as JSON");
  add_command_option(*command, "csv", options->csv, "FILE", "write the values of every frame");
  add_command_option(*command, "side_by_side", options->request.side_by_side, "FILE",
                     "write a file with A left, B right");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace files that exist");
  add_command_option(*command, "lpips_backbone", options->request.lpips_backbone, "FILE",
                     "torchvision's alexnet or vgg16");
  add_command_option(*command, "lpips_linear", options->request.lpips_linear, "FILE",
                     "the lpips package's alex.pth or vgg.pth");
  add_command_option(*command, "device", options->request.device, "NAME", "cpu, cuda or cuda:N");
  return {command, [options] { return run_compare(*options); }};
}

}  // namespace faststar
