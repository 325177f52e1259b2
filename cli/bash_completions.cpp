#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion_scripts.h"

namespace faststar {
namespace {

std::string command_cases(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    if (!page.words.empty()) cases += fmt::format("      \" {0}\") command=\" {0}\" ;;\n", command_name(page));
  }
  return cases;
}

/// What may stand behind an option that takes a value; nothing leaves it to file names.
std::string value_cases(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    for (const OptionPage& option : page.options) {
      if (option.argument.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) {
        patterns.push_back(fmt::format("\"{}{} {}\"", page.words.empty() ? "" : " ", command_name(page), name));
      }
      cases += fmt::format("    {}) words=\"{}\" ;;\n", fmt::join(patterns, " | "), fmt::join(option.choices, " "));
    }
  }
  return cases;
}

std::string word_cases(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    std::vector<std::string> words = page.commands;
    for (const OptionPage& option : page.options) words.insert(words.end(), option.names.begin(), option.names.end());
    cases += fmt::format("        \"{}{}\") words=\"{}\" ;;\n", page.words.empty() ? "" : " ", command_name(page),
                         fmt::join(words, " "));
  }
  return cases;
}

}  // namespace

std::string bash_completions(const std::vector<CommandPage>& pages) {
  return fmt::format(R"(# bash completion for faststar; made by `faststar completions bash`
_faststar() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command="" words="" i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command ${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$command $previous" in
{}    *)
      case "$command" in
{}      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _faststar faststar
)",
                     command_cases(pages), value_cases(pages), word_cases(pages));
}

}  // namespace faststar
