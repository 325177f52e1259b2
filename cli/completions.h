#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

/// Completion scripts and the man page, written from the parser's own options.
namespace faststar {

struct OptionPage {
  std::vector<std::string> names;    ///< "-p", "--prompt"
  std::string argument;              ///< "FILE", "auto|fa3"; empty for a flag
  std::vector<std::string> choices;  ///< the words that `argument` lists
  std::string help;                  ///< one line
};

struct SubcommandPage {
  std::string word;
  std::string help;  ///< one line
};

struct CommandPage {
  std::vector<std::string> words;        ///< {"study", "fidelity"}; empty for the program itself
  std::string help;                      ///< one line
  std::vector<std::string> positionals;  ///< "FILE"
  std::vector<OptionPage> options;
  std::vector<SubcommandPage> commands;

  /// `words` joined: "study fidelity".
  std::string name() const;
};

/// The program, then every command; a command comes before its subcommands.
std::vector<CommandPage> command_pages(const CLI::App& app);

// The completion script of each shell: commands, options, and the words that an option accepts. All else completes to
// file names.
std::string bash_completions(const std::vector<CommandPage>& pages);
std::string zsh_completions(const std::vector<CommandPage>& pages);
std::string fish_completions(const std::vector<CommandPage>& pages);

/// faststar(1) in the format of man.
std::string man_page(const std::vector<CommandPage>& pages);

}  // namespace faststar
