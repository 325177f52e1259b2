#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/completion_scripts.h"

namespace faststar {
namespace {

/// Text for man: its escape character, hyphens that are typed, and lines that would begin a request.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string option_lines(const CommandPage& page) {
  std::string lines;
  for (const OptionPage& option : page.options) {
    lines += fmt::format(".TP\n\\fB{}\\fR", escaped(fmt::format("{}", fmt::join(option.names, ", "))));
    if (!option.argument.empty()) lines += fmt::format(" \\fI{}\\fR", escaped(option.argument));
    lines += fmt::format("\n{}\n", escaped(option.help));
  }
  return lines;
}

std::string section_of(const CommandPage& page) {
  const std::string title = page.words.empty() ? "Every command" : fmt::format("faststar {}", command_name(page));
  std::string heading = escaped(title);
  for (const std::string& positional : page.positionals) heading += fmt::format(" \\fI{}\\fR", escaped(positional));
  return fmt::format(".SS {}\n{}\n{}", heading, page.words.empty() ? "" : escaped(page.help), option_lines(page));
}

constexpr const char* kEnd = R"(.SH ENVIRONMENT
Every setting that is not given on the command line comes from a variable named after its flag: \fBFASTSTAR_MODEL\fR
for \fB\-\-model\fR, then from \fB\-\-config\fR, then from the model, or is the default.
.SH EXIT STATUS
.nf
0    done
1    it ran, but the answer is no: a check failed, some videos of a batch failed
2    the command line or a configuration file
3    an input file
4    the model's files
5    device or memory
6    an output file
70   an error of faststar itself
130  stopped by Ctrl\-C; 143 by SIGTERM or SIGHUP
.fi
)";

}  // namespace

std::string man_page(const std::vector<CommandPage>& pages) {
  std::string text = fmt::format(
      ".TH FASTSTAR 1 \"\" \"faststar {}\"\n.SH NAME\nfaststar \\- videos and pictures from words with InfinityStar\n"
      ".SH SYNOPSIS\n\\fBfaststar\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n"
      "Paths of finished files go to stdout, everything else to stderr.\n.SH COMMANDS\n",
      FASTSTAR_VERSION);
  for (const CommandPage& page : pages) text += section_of(page);
  return text + kEnd;
}

}  // namespace faststar
