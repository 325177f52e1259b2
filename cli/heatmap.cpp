#include "core/lab/heatmap/heatmap.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/utf8.h"
#include "core/media/image.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

struct HeatmapCommand {
  HeatmapFiles files;
  int64_t rows = 4;
  bool overwrite = false;
  bool json = false;
};

int run_heatmap(const HeatmapCommand& command) {
  constexpr int64_t kMaxRows = 32;
  if (command.rows < 1 || command.rows > kMaxRows) {
    fail(ErrorKind::usage, fmt::format("--rows {}: expected 1 to {}", command.rows, kMaxRows));
  }
  const Existing existing = replace_if(command.overwrite);
  spare_inputs(command.files.output, {command.files.trace, command.files.video});
  check_writable(command.files.output, existing);
  if (has_picture_name(command.files.output)) check_image_output(command.files.output);
  write_heatmap(command.files, command.rows, existing);
  if (command.json) {
    print_result(json_text(nlohmann::json{{"command", "heatmap"}, {"file", command.files.output}}) + "\n");
  } else {
    print_path(command.files.output);
  }
  return 0;
}

}  // namespace

Command add_heatmap(CLI::App& app) {
  CLI::App* command = app.add_subcommand("heatmap", "scores and pruned tokens of a run, drawn on its video");
  const auto options = std::make_shared<HeatmapCommand>();
  command->add_option("TRACE", options->files.trace, "")->required();
  command->add_option("VIDEO", options->files.video, "")->required();
  command->add_option("-o,--output", options->files.output, "a video, or a picture of some frames")
      ->required()
      ->type_name("FILE")
      ->group(kScreenGroup)
      ->envname("FASTSTAR_OUTPUT");
  add_command_option(*command, "rows", options->rows, "N", "frames in a picture (4)");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace a file that exists");
  add_command_option(*command, "json", options->json, "", "print the result as JSON");
  return {command, [options] { return run_heatmap(*options); }};
}

}  // namespace faststar
