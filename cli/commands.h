#pragma once
#include <functional>
#include <vector>

namespace CLI {
class App;
}

namespace faststar {

/// One command of the program: its options in the parser, and what runs when it was chosen.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;  ///< returns the exit code
};

// Each defines its command's options in `app`.
Command add_t2v(CLI::App& app);
Command add_t2i(CLI::App& app);
Command add_info(CLI::App& app);
Command add_verify(CLI::App& app);
Command add_compare(CLI::App& app);
Command add_heatmap(CLI::App& app);

/// All commands, in the order of the help page.
inline std::vector<Command> add_commands(CLI::App& app) {
  return {add_t2v(app), add_t2i(app), add_info(app), add_verify(app), add_compare(app), add_heatmap(app)};
}

}  // namespace faststar
