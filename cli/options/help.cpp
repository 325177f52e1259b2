#include "cli/options/help.h"

#include <fmt/format.h>

namespace faststar {
namespace {

constexpr size_t kColumns = 80;

std::string usage(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "faststar COMMAND [options]";
  std::string line = command_name(app);
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) continue;
    const std::string name = option->get_name(true);
    line += option->get_required() ? " " + name : fmt::format(" [{}]", name);
  }
  return line + " [options]";
}

std::string option_lines(const CLI::App& app, const std::string& group) {
  std::string lines;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != group || !option->nonpositional()) continue;
    const std::string name = fmt::format("{} {}", option->get_name(false, true), option->get_type_name());
    const bool has_short = !option->get_snames().empty();
    lines +=
        fmt::format("  {}{:<{}} {}\n", has_short ? "" : "    ", name, has_short ? 36 : 32, option->get_description());
  }
  return lines;
}

std::string command_lines(const CLI::App& app) {
  std::string lines;
  for (const CLI::App* command : app.get_subcommands({})) {
    lines += fmt::format("  {:<12} {}\n", command->get_name(), command->get_description());
  }
  return lines.empty() ? "" : fmt::format("\nCommands (faststar COMMAND --help):\n{}", lines);
}

}  // namespace

std::string command_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : command_name(*app.get_parent()) + " " + app.get_name();
}

std::string help_page(const CLI::App* app, const std::string&, CLI::AppFormatMode mode) {
  const std::string start = usage(*app) + ":";
  const bool fits = start.size() + 1 + app->get_description().size() <= kColumns;
  std::string text = fmt::format("{}{}{}\n{}\n{}:\n{}", start, fits ? " " : "\n  ", app->get_description(),
                                 command_lines(*app), kScreenGroup, option_lines(*app, kScreenGroup));
  const std::string more = option_lines(*app, kMoreGroup);
  if (more.empty()) return text;
  if (mode == CLI::AppFormatMode::All) text += fmt::format("\n{}:\n{}", kMoreGroup, more);
  return text + app->get_footer() + "\n";
}

}  // namespace faststar
