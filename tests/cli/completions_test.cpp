#include <CLI/App.hpp>
#include <CLI/Config.hpp>

#include "cli/commands.h"
#include "cli/completion_scripts.h"
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
  for (std::string line; std::getline(stream, line);) lines += line.find(word) == std::string::npos ? "" : line + "\n";
  return lines;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What bash offers for a command line, the last word of which is being typed.
std::string completed(const TempDir& folder, const std::string& words) {
  test::write_text(folder / "try.sh",
                   "source ./faststar.bash; COMP_WORDS=(" + words +
                       "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _faststar; echo \"${COMPREPLY[*]}\" >out\n");
  REQUIRE(std::system(fmt::format("cd '{}' && bash try.sh", folder.path().string()).c_str()) == 0);
  return test::read_text(folder / "out");
}

}  // namespace

TEST_CASE("every command and every flag is in the completions of each shell and in the manual", "[cli]") {
  CLI::App app("", "faststar");
  add_commands(app);
  const auto pages = command_pages(app);
  const std::string man = man_page(pages);
  for (const CLI::App* command : app.get_subcommands({})) {
    const std::string name = command->get_name();
    INFO(name);
    const std::string bash = " " + between(bash_completions(pages), "\" " + name + "\") words=\"", "\"") + " ";
    const std::string zsh = between(zsh_completions(pages), "_faststar_" + name + "() {", "\n}\n");
    const std::string fish = lines_with(fish_completions(pages), "'__fish_seen_subcommand_from " + name + "'");
    const std::string manual = between(man, ".SS faststar " + name, "\n.S");
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& flag : option->get_lnames()) {
        INFO(flag);
        CHECK(has(bash, " --" + flag + " "));
        CHECK(has(zsh, "'--" + flag + "["));
        CHECK(has(fish, " -l " + flag + " "));
        std::string escaped = "--" + flag;
        for (size_t i = 0; (i = escaped.find('-', i)) != std::string::npos; i += 2) escaped.insert(i, "\\");
        CHECK(has(manual, escaped));
      }
    }
  }
}

TEST_CASE("bash completes commands, flags and words", "[cli]") {
  const TempDir folder;
  test::write_text(folder / "faststar.bash", run(folder, "completions bash").out);
  CHECK(std::system(fmt::format("bash -n '{}'", (folder / "faststar.bash").string()).c_str()) == 0);
  CHECK(completed(folder, "faststar t2") == "t2v t2i\n");
  CHECK(completed(folder, "faststar t2v --guid") == "--guidance --guidance-method\n");
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
