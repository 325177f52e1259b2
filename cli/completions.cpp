#include <fmt/format.h>

#include <CLI/App.hpp>

#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "cli/progress/result.h"
#include "core/base/error.h"

namespace faststar {
namespace {

int print_completions(const CLI::App& app, const std::string& shell) {
  const auto pages = command_pages(app);
  if (shell == "bash") {
    print_result(bash_completions(pages));
  } else if (shell == "zsh") {
    print_result(zsh_completions(pages));
  } else if (shell == "fish") {
    print_result(fish_completions(pages));
  } else {
    fail(ErrorKind::usage, fmt::format("SHELL: expected bash, zsh or fish, got {}", shell));
  }
  return 0;
}

}  // namespace

Command add_completions(CLI::App& app) {
  CLI::App* command = app.add_subcommand("completions", "a completion script for bash, zsh or fish");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "")->required();
  return {command, [shell, &app] { return print_completions(app, *shell); }};
}

Command add_man(CLI::App& app) {
  CLI::App* command = app.add_subcommand("man", "the manual page: faststar man | man -l -");
  return {command, [&app] {
            print_result(man_page(command_pages(app)));
            return 0;
          }};
}

}  // namespace faststar
