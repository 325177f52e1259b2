#include "cli/application.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <vector>

#include "cli/about.h"
#include "cli/commands.h"
#include "cli/options/help.h"
#include "cli/progress/result.h"
#include "core/base/error.h"
#include "core/config/nearest_name.h"

namespace faststar {
namespace {

/// Every name that could have stood where an unknown word stands.
std::vector<std::string> known_words(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* level : {&app, &command}) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  }
  for (const CLI::App* sub : app.get_subcommands({})) words.push_back(sub->get_name());
  return words;
}

void refuse_unknown(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) return;
  const auto used = app.get_subcommands();
  const std::string word = extras.front().substr(0, extras.front().find('='));
  const std::string where = used.empty() ? "faststar" : "faststar " + used.front()->get_name();
  const std::string nearest = nearest_name(word, known_words(app, used.empty() ? app : *used.front()));
  fail(ErrorKind::usage, fmt::format("{}: unknown {}", word, word.starts_with('-') ? "option" : "word"),
       fmt::format("the nearest known one is {}; {} --help lists all", nearest, where));
}

/// Help that was asked for goes to stdout; every other message of the parser is a usage error.
int finish_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_name() == "CallForHelp") {
    print_result(app.help());
  } else if (error.get_name() == "CallForAllHelp") {
    print_result(app.help("", CLI::AppFormatMode::All));
  } else {
    const auto used = app.get_subcommands();
    const std::string command = used.empty() ? "faststar" : "faststar " + used.front()->get_name();
    fail(ErrorKind::usage, error.what(), command + " --help");
  }
  return 0;
}

/// The line of --help names --help-all as well.
void name_help_once(CLI::App& app) {
  app.set_help_all_flag("--help-all", "every option")->group("");
  for (CLI::App* command : app.get_subcommands({})) name_help_once(*command);
}

}  // namespace

int run_application(int argc, const char* const* argv) {
  CLI::App app("Videos and pictures from words with InfinityStar.", "faststar");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "this page; --help-all has every option");
  app.allow_extras();
  app.fallthrough();  // inherited: `faststar t2v --version` works
  bool version = false;
  bool devices = false;
  app.add_flag("--version", version, "version and build")->group(kScreenGroup);
  app.add_flag("--list-devices", devices, "the devices that --device can name")->group(kScreenGroup);
  const std::vector<Command> commands = add_commands(app);
  name_help_once(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish_parse_error(app, error);
  }
  refuse_unknown(app);
  if (version) return print_version();
  if (devices) return print_devices();
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  fail(ErrorKind::usage, "expected a command", "faststar --help");
}

}  // namespace faststar
