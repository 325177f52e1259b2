#include <CLI/App.hpp>

#include "cli/commands.h"
#include "cli/making_command.h"

namespace faststar {

Command add_t2i(CLI::App& app) {
  CLI::App* command = app.add_subcommand("t2i", "a picture from words");
  const auto options = std::make_shared<MakingOptions>();
  add_making_options(*command, Task::text_to_image, *options);
  return {command, [options] { return run_making_command(Task::text_to_image, *options); }};
}

}  // namespace faststar
