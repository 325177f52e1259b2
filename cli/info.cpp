#include <fmt/format.h>

#include <CLI/App.hpp>
#include <filesystem>

#include "cli/commands.h"
#include "cli/inspect.h"
#include "cli/options/help.h"
#include "cli/progress/result.h"
#include "core/base/error.h"
#include "core/media/extension.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

struct InfoOptions {
  std::string path;
  bool command = false;
};

bool is_media(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return extension == ".mp4" || extension == ".mkv" || extension == ".png" || extension == ".jpg" ||
         extension == ".jpeg";
}

int run_info(const InfoOptions& options) {
  std::error_code ignored;
  if (!fs::exists(options.path, ignored))
    fail(ErrorKind::input, fmt::format("{}: no such file or folder", options.path));
  if (options.command) {
    print_result(remake_command(options.path));
    return 0;
  }
  if (is_media(options.path)) {
    print_result(describe_media(options.path));
    return 0;
  }
  if (fs::is_directory(options.path, ignored) && !find_models(options.path).empty()) {
    const ModelReport report = describe_models(options.path);
    print_result(report.text);
    return report.complete ? 0 : 1;
  }
  print_result(describe_checkpoint(options.path));
  return 0;
}

}  // namespace

Command add_info(CLI::App& app) {
  CLI::App* command = app.add_subcommand("info", "what a model folder, checkpoint, codes file or video of ours holds");
  const auto options = std::make_shared<InfoOptions>();
  command->add_option("PATH", options->path, "")->required();
  command->add_flag("--command", options->command, "print the command that remakes a video")->group(kScreenGroup);
  return {command, [options] { return run_info(*options); }};
}

}  // namespace faststar
