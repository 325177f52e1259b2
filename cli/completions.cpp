#include "cli/completions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>
#include <algorithm>

#include "cli/commands.h"
#include "cli/options/help.h"
#include "cli/progress/result.h"
#include "core/base/error.h"

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
    if (option->get_group() == kRetiredGroup) continue;
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

// bash: three `case` tables over "command word", where command is " study fidelity" or empty.

std::string bash_command(const CommandPage& page) { return page.words.empty() ? "" : " " + page.name(); }

std::string bash_commands(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    if (!page.words.empty()) cases += fmt::format("      \"{0}\") command=\"{0}\" ;;\n", bash_command(page));
  }
  return cases;
}

/// The words after an option with an argument; none completes to file names.
std::string bash_arguments(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    for (const OptionPage& option : page.options) {
      if (option.argument.empty()) continue;
      std::vector<std::string> patterns;
      for (const auto& name : option.names) patterns.push_back(fmt::format("\"{} {}\"", bash_command(page), name));
      cases += fmt::format("    {}) words=\"{}\" ;;\n", fmt::join(patterns, " | "), fmt::join(option.choices, " "));
    }
  }
  return cases;
}

std::string bash_words(const std::vector<CommandPage>& pages) {
  std::string cases;
  for (const CommandPage& page : pages) {
    std::vector<std::string> words;
    for (const SubcommandPage& command : page.commands) words.push_back(command.word);
    for (const OptionPage& option : page.options) words.insert(words.end(), option.names.begin(), option.names.end());
    cases += fmt::format("        \"{}\") words=\"{}\" ;;\n", bash_command(page), fmt::join(words, " "));
  }
  return cases;
}

// zsh: one function per command, which calls _arguments or the function of its subcommand.

/// Text inside single quotes in a specification of _arguments, where colons and brackets are special.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    if (c == '\'') out += "'\\'";
    out += c;
  }
  return out;
}

std::string zsh_options(const CommandPage& page) {
  std::string specs;
  for (const OptionPage& option : page.options) {
    std::string argument;
    if (!option.argument.empty()) {
      const auto words = option.choices.empty() ? "_files" : fmt::format("({})", fmt::join(option.choices, " "));
      argument = fmt::format(":{}:{}", zsh_escaped(option.argument), words);
    }
    for (const std::string& name : option.names) {
      specs += fmt::format(" \\\n      '{}[{}]{}'", name, zsh_escaped(option.help), argument);
    }
  }
  return specs;
}

std::string zsh_function(const CommandPage& page) {
  const std::string name = fmt::format("_faststar{}{}", page.words.empty() ? "" : "_", fmt::join(page.words, "_"));
  if (page.commands.empty())
    return fmt::format("{}() {{\n    _arguments{} '*:FILE:_files'\n}}\n", name, zsh_options(page));
  std::string list;
  for (const SubcommandPage& command : page.commands) {
    list += fmt::format("      '{}:{}'\n", command.word, zsh_escaped(command.help));
  }
  return fmt::format(R"({0}() {{
    local curcontext=$curcontext state line
    local -a commands=(
{1}    )
    _arguments -C{2} '1: :->command' '*:: :->rest'
    case $state in
      command) _describe command commands ;;
      rest) (( $+functions[{0}_$words[1]] )) && {0}_$words[1] ;;
    esac
}}
)",
                     name, list, zsh_options(page));
}

// fish: one `complete` line per subcommand and per option, with the condition under which it applies.

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

/// True for fish where the command line has all words of the page and none of its subcommands.
std::string fish_condition(const CommandPage& page) {
  if (page.words.empty()) return "__fish_use_subcommand";
  std::vector<std::string> terms;
  for (const std::string& word : page.words) terms.push_back("__fish_seen_subcommand_from " + word);
  if (!page.commands.empty()) {
    std::string others;
    for (const SubcommandPage& command : page.commands) others += " " + command.word;
    terms.push_back("not __fish_seen_subcommand_from" + others);
  }
  return fish_quoted(fmt::format("{}", fmt::join(terms, "; and ")));
}

std::string fish_lines(const CommandPage& page) {
  const std::string start = fmt::format("complete -c faststar -n {}", fish_condition(page));
  std::string lines;
  for (const SubcommandPage& command : page.commands) {
    lines += fmt::format("{} -f -a {} -d {}\n", start, command.word, fish_quoted(command.help));
  }
  for (const OptionPage& option : page.options) {
    lines += start;
    for (const std::string& name : option.names) {
      lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (!option.argument.empty()) lines += " -r";
    const std::string words = fmt::format("{}", fmt::join(option.choices, " "));
    if (!words.empty()) lines += " -f -a " + fish_quoted(words);
    lines += fmt::format(" -d {}\n", fish_quoted(option.help));
  }
  return lines;
}

// man: the pages as sections.

/// Text for man: its escape character, hyphens that are typed, and lines that would begin a request.
std::string man_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '-') out += '\\';
    out += c == '\\' ? 'e' : c;
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string man_options(const CommandPage& page) {
  std::string lines;
  for (const OptionPage& option : page.options) {
    lines += fmt::format(".TP\n\\fB{}\\fR", man_text(fmt::format("{}", fmt::join(option.names, ", "))));
    if (!option.argument.empty()) lines += fmt::format(" \\fI{}\\fR", man_text(option.argument));
    lines += fmt::format("\n{}\n", man_text(option.help));
  }
  return lines;
}

std::string man_section(const CommandPage& page) {
  if (page.words.empty()) return fmt::format(".SS All commands\n{}", man_options(page));
  std::string heading = man_text("faststar " + page.name());
  for (const std::string& positional : page.positionals) heading += fmt::format(" \\fI{}\\fR", man_text(positional));
  return fmt::format(".SS {}\n{}\n{}", heading, man_text(page.help), man_options(page));
}

constexpr const char* kManEnd = R"(.SH ENVIRONMENT
Every option has an environment variable, such as \fBFASTSTAR_MODEL\fR for \fB\-\-model\fR. The order is: command line,
environment, \fB\-\-config\fR, the model's own settings, default.
.SH EXIT STATUS
.nf
0    success
1    the run finished with a negative result: a check failed, some videos of a batch failed
2    wrong command line or configuration file
3    problem with an input file
4    problem with the model files
5    problem with the device, or out of memory
6    problem with an output file
70   internal error
130  stopped by Ctrl\-C; 143 by SIGTERM or SIGHUP
.fi
)";

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

std::vector<CommandPage> command_pages(const CLI::App& app) {
  std::vector<CommandPage> pages;
  add_pages(app, {}, pages);
  return pages;
}

std::string CommandPage::name() const { return fmt::format("{}", fmt::join(words, " ")); }

std::string bash_completions(const std::vector<CommandPage>& pages) {
  return fmt::format(R"(# bash completion for faststar; generated by `faststar completions bash`
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
                     bash_commands(pages), bash_arguments(pages), bash_words(pages));
}

std::string zsh_completions(const std::vector<CommandPage>& pages) {
  std::string script = "#compdef faststar\n# zsh completion for faststar; generated by `faststar completions zsh`\n";
  for (const CommandPage& page : pages) script += zsh_function(page);
  return script + "if [[ $funcstack[1] == _faststar ]]; then _faststar \"$@\"; else compdef _faststar faststar; fi\n";
}

std::string fish_completions(const std::vector<CommandPage>& pages) {
  std::string script = "# fish completion for faststar; generated by `faststar completions fish`\n";
  for (const CommandPage& page : pages) script += fish_lines(page);
  return script;
}

std::string man_page(const std::vector<CommandPage>& pages) {
  std::string text = fmt::format(
      ".TH FASTSTAR 1 \"\" \"faststar {}\"\n.SH NAME\nfaststar \\- text to video with InfinityStar\n"
      ".SH SYNOPSIS\n\\fBfaststar\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n"
      "The paths of finished files are printed on stdout, everything else on stderr.\n.SH COMMANDS\n",
      FASTSTAR_VERSION);
  for (const CommandPage& page : pages) text += man_section(page);
  return text + kManEnd;
}

Command add_completions(CLI::App& app) {
  CLI::App* command = app.add_subcommand("completions", "print a completion script for bash, zsh or fish");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "")->required();
  return {command, [shell, &app] { return print_completions(app, *shell); }};
}

Command add_man(CLI::App& app) {
  CLI::App* command = app.add_subcommand("man", "print the manual page: faststar man | man -l -");
  return {command, [&app] {
            print_result(man_page(command_pages(app)));
            return 0;
          }};
}

}  // namespace faststar
