#include "cli/options/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <algorithm>

namespace faststar {
namespace {

/// The words of "auto|fa3"; none for "NAME|FILE".
std::vector<std::string> choices_of(const std::string& argument) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (argument.find('|') == std::string::npos || std::ranges::any_of(argument, is_upper)) return {};
  return CLI::detail::split(argument, '|');
}

OptionPage option_page(const CLI::Option& option) {
  OptionPage page;
  for (const std::string& name : option.get_snames()) page.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) page.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) page.argument = option.get_type_name();
  page.choices = choices_of(page.argument);
  page.help = option.get_description();
  return page;
}

void add_pages(const CLI::App& app, const std::vector<std::string>& words, std::vector<CommandPage>& pages) {
  CommandPage page{.words = words, .help = app.get_description()};
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) {
      page.options.push_back(option_page(*option));
    } else {
      page.positionals.push_back(option->get_name(true));
    }
  }
  const auto commands = app.get_subcommands({});
  for (const CLI::App* command : commands) page.commands.push_back({command->get_name(), command->get_description()});
  pages.push_back(std::move(page));
  for (const CLI::App* command : commands) {
    std::vector<std::string> path = words;
    path.push_back(command->get_name());
    add_pages(*command, path, pages);
  }
}

}  // namespace

std::vector<CommandPage> command_pages(const CLI::App& app) {
  std::vector<CommandPage> pages;
  add_pages(app, {}, pages);
  return pages;
}

std::string CommandPage::name() const { return fmt::format("{}", fmt::join(words, " ")); }

}  // namespace faststar
