#pragma once
#include <string>
#include <vector>

#include "cli/options/command_line.h"

namespace faststar {

// The completion script of each shell: commands, options, and the words that an option accepts. All else completes to
// file names.
std::string bash_completions(const std::vector<CommandPage>& pages);
std::string zsh_completions(const std::vector<CommandPage>& pages);
std::string fish_completions(const std::vector<CommandPage>& pages);

/// faststar(1) in the format of man.
std::string man_page(const std::vector<CommandPage>& pages);

}  // namespace faststar
