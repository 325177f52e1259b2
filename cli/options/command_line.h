#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

/// The command line as data: what completions and the man page are made of.
namespace faststar {

struct OptionPage {
  std::vector<std::string> names;    ///< "-p", "--prompt"
  std::string argument;              ///< "FILE", "auto|fa3"; empty for a flag
  std::vector<std::string> choices;  ///< the words that `argument` lists
  std::string help;                  ///< one line
};

struct CommandPage {
  std::vector<std::string> words;        ///< "t2v"; a command within a command has two; the program itself none
  std::string help;                      ///< one line
  std::vector<std::string> positionals;  ///< "FILE"
  std::vector<OptionPage> options;
  std::vector<std::string> commands;  ///< words that may follow
};

/// The program, then every command, a command before those within it.
std::vector<CommandPage> command_pages(const CLI::App& app);

/// The words of `page` in a row: "study fidelity".
std::string command_name(const CommandPage& page);

}  // namespace faststar
