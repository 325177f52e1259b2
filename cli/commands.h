#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace faststar {

/// Parses the command line and runs the command. Returns the exit code; throws what went wrong.
int run_application(int argc, const char* const* argv);

/// One command of the program: its options in the parser, and what runs when it was chosen.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;  ///< returns the exit code
};

// Each defines its command's options in `app`.
Command add_t2v(CLI::App& app);
Command add_t2i(CLI::App& app);
Command add_i2v(CLI::App& app);
Command add_v2v(CLI::App& app);
Command add_interact(CLI::App& app);
Command add_batch(CLI::App& app);
Command add_decode(CLI::App& app);
Command add_info(CLI::App& app);
Command add_study(CLI::App& app);
Command add_train(CLI::App& app);
Command add_evaluate(CLI::App& app);
Command add_verify(CLI::App& app);
Command add_compare(CLI::App& app);
Command add_heatmap(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_convert(CLI::App& app);
Command add_completions(CLI::App& app);
Command add_man(CLI::App& app);

/// The completion script of a shell: commands, options, and the words that an option accepts. All else completes to
/// file names. Throws Error(usage) unless `shell` is bash, zsh or fish.
std::string completions(const CLI::App& app, const std::string& shell);

/// faststar(1) in the format of man.
std::string man_page(const CLI::App& app);

/// All commands, in the order of the help page.
inline std::vector<Command> add_commands(CLI::App& app) {
  return {add_t2v(app),     add_t2i(app),   add_i2v(app),   add_v2v(app),      add_interact(app),    add_batch(app),
          add_decode(app),  add_info(app),  add_train(app), add_evaluate(app), add_verify(app),      add_compare(app),
          add_heatmap(app), add_study(app), add_bench(app), add_convert(app),  add_completions(app), add_man(app)};
}

}  // namespace faststar
