#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion_scripts.h"

namespace faststar {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

/// True for fish where the command line has all of the page's words and none of the commands within it.
std::string condition(const CommandPage& page) {
  std::vector<std::string> terms;
  for (const std::string& word : page.words) terms.push_back("__fish_seen_subcommand_from " + word);
  if (page.words.empty()) {
    terms.emplace_back("__fish_use_subcommand");
  } else if (!page.commands.empty()) {
    terms.push_back(fmt::format("not __fish_seen_subcommand_from {}", fmt::join(page.commands, " ")));
  }
  return quoted(fmt::format("{}", fmt::join(terms, "; and ")));
}

std::string option_line(const CommandPage& page, const OptionPage& option) {
  std::string line = fmt::format("complete -c faststar -n {}", condition(page));
  for (const std::string& name : option.names) {
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.argument.empty()) line += " -r";
  if (!option.choices.empty())
    line += fmt::format(" -f -a {}", quoted(fmt::format("{}", fmt::join(option.choices, " "))));
  return fmt::format("{} -d {}\n", line, quoted(option.help));
}

/// The line that offers the page's own word.
std::string command_line(const std::vector<CommandPage>& pages, const CommandPage& page) {
  for (const CommandPage& parent : pages) {
    if (!std::equal(parent.words.begin(), parent.words.end(), page.words.begin(), page.words.end() - 1)) continue;
    return fmt::format("complete -c faststar -n {} -f -a {} -d {}\n", condition(parent), page.words.back(),
                       quoted(page.help));
  }
  return "";
}

}  // namespace

std::string fish_completions(const std::vector<CommandPage>& pages) {
  std::string script = "# fish completion for faststar; made by `faststar completions fish`\n";
  for (const CommandPage& page : pages) {
    if (!page.words.empty()) script += command_line(pages, page);
    for (const OptionPage& option : page.options) script += option_line(page, option);
  }
  return script;
}

}  // namespace faststar
