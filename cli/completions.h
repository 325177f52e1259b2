#pragma once
#include <string>

namespace CLI {
class App;
}

/// Completion scripts and the man page of the program, written from its parser.
namespace faststar {

/// The completion script of a shell: commands, options, and the words that an option accepts. All else completes to
/// file names. Throws Error(usage) unless `shell` is bash, zsh or fish.
std::string completions(const CLI::App& app, const std::string& shell);

/// faststar(1) in the format of man.
std::string man_page(const CLI::App& app);

}  // namespace faststar
