#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion_scripts.h"

namespace faststar {
namespace {

/// Inside single quotes, in a specification of _arguments: colons and brackets have a meaning there.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string value_action(const OptionPage& option) {
  if (option.argument.empty()) return "";
  const std::string action = option.choices.empty() ? "_files" : fmt::format("({})", fmt::join(option.choices, " "));
  return fmt::format(":{}:{}", escaped(option.argument), action);
}

std::string option_specs(const CommandPage& page) {
  std::string specs;
  for (const OptionPage& option : page.options) {
    for (const std::string& name : option.names) {
      specs += fmt::format(" \\\n      '{}[{}]{}'", name, escaped(option.help), value_action(option));
    }
  }
  return specs;
}

std::string help_of(const std::vector<CommandPage>& pages, std::vector<std::string> words) {
  for (const CommandPage& page : pages) {
    if (page.words == words) return page.help;
  }
  return "";
}

std::string function_name(const CommandPage& page) {
  return page.words.empty() ? "_faststar" : fmt::format("_faststar_{}", fmt::join(page.words, "_"));
}

/// The words that may follow, and the function of the one that did.
std::string command_dispatch(const std::vector<CommandPage>& pages, const CommandPage& page) {
  std::string list;
  for (const std::string& command : page.commands) {
    std::vector<std::string> words = page.words;
    words.push_back(command);
    list += fmt::format("      '{}:{}'\n", command, escaped(help_of(pages, words)));
  }
  return fmt::format(R"(    local curcontext=$curcontext state line
    local -a commands=(
{0}    )
    _arguments -C{1} '1: :->command' '*:: :->rest'
    case $state in
      command) _describe command commands ;;
      rest) (( $+functions[{2}_$words[1]] )) && {2}_$words[1] ;;
    esac
)",
                     list, option_specs(page), function_name(page));
}

std::string function_of(const std::vector<CommandPage>& pages, const CommandPage& page) {
  const std::string body = page.commands.empty() ? fmt::format("    _arguments{} '*:FILE:_files'\n", option_specs(page))
                                                 : command_dispatch(pages, page);
  return fmt::format("{}() {{\n{}}}\n", function_name(page), body);
}

}  // namespace

std::string zsh_completions(const std::vector<CommandPage>& pages) {
  std::string script = "#compdef faststar\n# zsh completion for faststar; made by `faststar completions zsh`\n";
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) script += function_of(pages, *page);
  return script + R"(if [[ $funcstack[1] == _faststar ]]; then _faststar "$@"; else compdef _faststar faststar; fi)" +
         "\n";
}

}  // namespace faststar
