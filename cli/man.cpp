#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/App.hpp>

#include "cli/commands.h"
#include "cli/completions.h"
#include "cli/progress/result.h"

namespace faststar {
namespace {

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

}  // namespace

std::string man_page(const std::vector<CommandPage>& pages) {
  std::string text = fmt::format(
      ".TH FASTSTAR 1 \"\" \"faststar {}\"\n.SH NAME\nfaststar \\- text to video with InfinityStar\n"
      ".SH SYNOPSIS\n\\fBfaststar\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n"
      "The paths of finished files are printed on stdout, everything else on stderr.\n.SH COMMANDS\n",
      FASTSTAR_VERSION);
  for (const CommandPage& page : pages) text += man_section(page);
  return text + kManEnd;
}

Command add_man(CLI::App& app) {
  CLI::App* command = app.add_subcommand("man", "print the manual page: faststar man | man -l -");
  return {command, [&app] {
            print_result(man_page(command_pages(app)));
            return 0;
          }};
}

}  // namespace faststar
