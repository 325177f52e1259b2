#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::run;
using test::TempDir;

/// The part of `text` from behind `begin` to before `end`; fails the test when there is none.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  REQUIRE(from != std::string::npos);
  const size_t start = from + begin.size();
  return text.substr(start, text.find(end, start) - start);
}

std::string lines_with(const std::string& text, const std::string& word) {
  std::istringstream stream(text);
  std::string lines;
  for (std::string line; std::getline(stream, line);) {
    if (line.find(word) != std::string::npos) lines += fmt::format("{}\n", line);
  }
  return lines;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Hyphens that are typed.
std::string in_man_format(const std::string& flag) {
  std::string out;
  for (const char c : flag) {
    if (c == '-') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// What bash offers for a command line, the last word of which is being typed.
std::string completed(const TempDir& folder, const std::string& words) {
  test::write_text(folder / "try.sh", fmt::format("source ./faststar.bash; COMP_WORDS=({}); "
                                                  "COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _faststar; "
                                                  "echo \"${{COMPREPLY[*]}}\" >out\n",
                                                  words));
  REQUIRE(std::system(fmt::format("cd '{}' && bash try.sh", folder.path().string()).c_str()) == 0);
  return test::read_text(folder / "out");
}

}  // namespace

TEST_CASE("every command and every flag is in the completions of each shell and in the manual", "[cli]") {
  CLI::App app("", "faststar");
  add_commands(app);
  const std::string man = man_page(app);
  for (const CLI::App* command : app.get_subcommands({})) {
    const std::string name = command->get_name();
    INFO(name);
    const std::string bash = between(completions(app, "bash"), fmt::format("\" {}\") words=\"", name), "\"");
    const std::string zsh = between(completions(app, "zsh"), fmt::format("_faststar_{}() {{", name), "\n}\n");
    const std::string fish = lines_with(completions(app, "fish"), fmt::format("'__fish_seen_subcommand_from {}", name));
    const std::string manual = between(man, fmt::format(".SS faststar {}", name), "\n.S");
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_group() == kRetiredGroup) continue;
      for (const std::string& flag : option->get_lnames()) {
        INFO(flag);
        CHECK(has(fmt::format(" {} ", bash), fmt::format(" --{} ", flag)));
        CHECK(has(zsh, fmt::format("'--{}[", flag)));
        CHECK(has(fish, fmt::format(" -l {} ", flag)));
        CHECK(has(manual, in_man_format(fmt::format("--{}", flag))));
      }
    }
  }
}

TEST_CASE("bash completes commands, flags and words", "[cli]") {
  const TempDir folder;
  test::write_text(folder / "faststar.bash", run(folder, "completions bash").out);
  CHECK(std::system(fmt::format("bash -n '{}'", (folder / "faststar.bash").string()).c_str()) == 0);
  CHECK(completed(folder, "faststar t2") == "t2v t2i\n");
  CHECK(completed(folder, "faststar t2v --guidance-m") == "--guidance-method\n");
  CHECK(completed(folder, "faststar t2v --guidance-method ''") == "apg cfg\n");
  CHECK(completed(folder, "faststar t2v -p x --kernels r") == "reference\n");
  CHECK(completed(folder, "faststar t2i --crf") == "\n");
  CHECK(completed(folder, "faststar t2v --output ''") == "\n");  // bash goes on with file names
}

TEST_CASE("a shell that nobody wrote completions for is refused", "[cli]") {
  const TempDir folder;
  const auto outcome = run(folder, "completions tcsh");
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.error == "error: SHELL: expected bash, zsh or fish, got tcsh\n");
}

}  // namespace faststar
