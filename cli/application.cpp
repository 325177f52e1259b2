#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/headeronly/version.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <deque>
#include <optional>
#include <sstream>
#include <vector>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/cpu_quota.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/model/star/attention.h"
#include "cuda/runtime.h"

namespace faststar {
namespace {

/// The command that was typed; the program itself when there was none.
const CLI::App& typed_command(const CLI::App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? app : typed_command(*used.front());
}

/// The names of the options of the program and of `command`.
std::vector<std::string> option_names(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* level : {&app, &command}) {
    for (const CLI::Option* option : level->get_options()) {
      const bool is_in_help = option->get_group() == kScreenGroup || option->get_group() == kMoreGroup;
      if (!is_in_help && !option->check_lname("help") && !option->check_lname("help-all")) continue;
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

void refuse_unknown(const CLI::App& app) {
  std::vector<std::string> extras = app.remaining(true);
  std::erase(extras, "--");  // before names that begin with a dash
  if (extras.empty()) return;
  const auto used = app.get_subcommands();
  const std::string word = extras.front().substr(0, extras.front().find('='));
  const std::string help = command_name(typed_command(app)) + " --help";
  const bool is_option = word.starts_with('-');
  std::vector<std::string> known;
  if (is_option) {
    known = option_names(app, typed_command(app));
  } else if (used.empty()) {
    for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  } else {
    const bool takes_prompt = used.front()->get_option_no_throw("--prompt") != nullptr;
    fail(ErrorKind::usage, fmt::format("{}: unknown argument", shortened(word)),
         fmt::format("{}; {} lists the options",
                     takes_prompt ? "-p \"TEXT\" gives a prompt, in quotes" : "put quotes around text with spaces",
                     help));
  }
  const std::string nearest = nearest_name(word, known);
  if (is_option && nearest == word) {
    fail(ErrorKind::usage, fmt::format("{}: stands before the command", word),
         fmt::format("options follow the command: {} {}", command_name(typed_command(app)), word));
  }
  fail(ErrorKind::usage, fmt::format("{}: unknown {}", shortened(word), is_option ? "option" : "command"),
       nearest.empty() ? fmt::format("{} lists all", help)
                       : fmt::format("did you mean {}? {} lists all", nearest, help));
}

/// True when --progress json, or its variable, asks for JSON on stderr: known before anything can go wrong.
bool wants_json_messages(int argc, const char* const* argv) {
  std::string style = environment_text("progress").value_or("");
  constexpr std::string_view kFlag = "--progress";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == kFlag && i + 1 < argc) style = argv[i + 1];
    if (word.starts_with(kFlag) && word.substr(kFlag.size()).starts_with('=')) style = word.substr(kFlag.size() + 1);
  }
  return style == "json";
}

/// The variable of an option: the parser's own, or the setting's.
std::string variable_of(const CLI::Option& option) {
  if (!option.get_envname().empty() || option.get_lnames().empty()) return option.get_envname();
  std::string name = option.get_lnames().front();
  std::ranges::replace(name, '-', '_');
  return environment_name(name);
}

/// `variable` when it has a value and the command line does not set the option.
std::optional<std::string> used_variable(const CLI::Option& option, const std::string& variable, int argc,
                                         const char* const* argv) {
  if (variable.empty() || std::getenv(variable.c_str()) == nullptr || *std::getenv(variable.c_str()) == '\0') return {};
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view name = word.substr(0, word.find('='));
    if (name.starts_with("--") && option.check_lname(std::string(name.substr(2)))) return {};
    if (word.size() >= 2 && word[0] == '-' && option.check_sname(std::string(1, word[1]))) return {};
  }
  return variable;
}

/// `error` about an option, which names its variable where the value came from there.
Error naming_variable(const Error& error, const CLI::App& app, int argc, const char* const* argv) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = "--" + (option->get_lnames().empty() ? "" : option->get_lnames().front());
    const auto variable = used_variable(*option, variable_of(*option), argc, argv);
    if (!variable) continue;
    const std::string what = error.what(), setting = name.substr(2) + ":";
    const size_t at = what.find(name);
    const bool is_whole =
        at != what.npos && (at + name.size() == what.size() ||
                            (std::isalnum(what[at + name.size()]) == 0 && what[at + name.size()] != '-'));
    if (is_whole) return {error.kind(), what.substr(0, at) + *variable + what.substr(at + name.size()), error.hint()};
    if (what.starts_with(setting)) return {error.kind(), *variable + what.substr(setting.size() - 1), error.hint()};
  }
  return error;
}

/// The parser drops a variable's value that its option does not take.
void refuse_dropped_variables(const CLI::App& app, int argc, const char* const* argv) {
  for (const CLI::Option* option : app.get_options()) {
    const auto variable = used_variable(*option, option->get_envname(), argc, argv);
    if (!variable || option->count() > 0) continue;
    fail(ErrorKind::usage,
         fmt::format("{}: {} takes no value {}", *variable, option->get_name(), std::getenv(variable->c_str())),
         command_name(app) + " --help");
  }
}

/// A message of the parser in our words.
std::string parse_problem(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what(), name = text.substr(0, text.find(": "));
  constexpr std::string_view kConversion = "Could not convert: ";
  if (text.starts_with(kConversion)) {
    const size_t value = text.find(" = ");
    return fmt::format("{}: not a value that it takes: {}", text.substr(kConversion.size(), value - kConversion.size()),
                       shortened(text.substr(value + 3)));
  }
  if (error.get_name() == "ArgumentMismatch" && name.starts_with('-')) {
    return name + (text.ends_with("missing") ? ": expected a value, got nothing" : ": given more than once");
  }
  if (error.get_name() == "RequiredError" && name == text) {  // of a command's commands, or an argument
    const CLI::App& command = typed_command(app);
    std::vector<std::string> known;
    for (const CLI::App* inner : command.get_subcommands({})) known.push_back(inner->get_name());
    const std::vector<std::string> extras = app.remaining(true);
    if (!known.empty()) {
      return fmt::format("{}: expected one of {}, got {}", command_name(command), fmt::join(known, ", "),
                         extras.empty() ? "nothing" : shortened(extras.front()));
    }
  }
  return text;
}

/// Help that was asked for goes to stdout; every other message of the parser is a usage error.
int finish_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() != 0) {
    fail(ErrorKind::usage, parse_problem(app, error), command_name(typed_command(app)) + " --help");
  }
  std::ostringstream help;
  app.exit(error, help, help);
  print_result(help.str());
  return 0;
}

/// --help-all has no line of its own: that of --help names it.
void add_help_all(CLI::App& app) {
  app.set_help_all_flag("--help-all", "show all options")->group("");
  for (CLI::App* command : app.get_subcommands({})) add_help_all(*command);
}

/// Version and build on stdout. Returns exit code 0.
int print_version() {
  const std::string built = cuda::built_architectures();
  print_result(fmt::format("faststar {}\nLibTorch {}\nCUDA architectures: {}\n", program_version(), TORCH_VERSION,
                           built.empty() ? "none (built without CUDA)" : built));
  return 0;
}

/// One device per line on stdout, as --device names it; on stderr why there is no GPU. Returns exit code 0.
int print_devices() {
  constexpr double kGiB = 1 << 30;
  const auto [gpus, why_none] = cuda::list_gpus();
  std::string lines = "cpu\n";
  int index = 0;
  for (const cuda::Gpu& gpu : gpus) {
    const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(index++));
    lines += fmt::format("{}  {}, compute capability {}.{}, {:.1f} GiB; attention in bf16: {}\n", device.str(),
                         gpu.name, gpu.capability / 10, gpu.capability % 10,
                         static_cast<double>(gpu.total_bytes) / kGiB, attention_text({}, device, at::kBFloat16));
  }
  print_result(lines);
  if (index == 0) log::info("no GPU: {}", why_none);
  return 0;
}

/// Questions that need no command.
struct Asked {
  bool version = false;
  bool devices = false;
};

/// The words of the command line. The parser would take the next word as the value of `--name=`: an empty variable of a
/// script must not swallow another option.
std::vector<const char*> words_of(int argc, const char* const* argv, std::deque<std::string>& split) {
  std::vector<const char*> words;
  bool are_options = true;
  for (int i = 0; i < argc; ++i) {
    const std::string_view word = argv[i];
    are_options = are_options && word != "--";
    words.push_back(argv[i]);
    if (!are_options || !word.starts_with("--") || word.find('=') + 1 != word.size()) continue;
    words.back() = split.emplace_back(word.substr(0, word.size() - 1)).c_str();
    words.push_back("");
  }
  return words;
}

/// What the command line asked for. Returns the exit code.
int run_chosen(const CLI::App& app, const Asked& asked, const std::vector<Command>& commands, int argc,
               const char* const* argv) {
  if (asked.version) return print_version();
  if (asked.devices) return print_devices();
  refuse_dropped_variables(typed_command(app), argc, argv);
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    check_threads_start();
    return command.run();
  }
  fail(ErrorKind::usage, "expected a command", "faststar --help");
}

}  // namespace

int run_application(int argc, const char* const* argv) {
  if (wants_json_messages(argc, argv)) use_json_messages();
  CLI::App app("Text to video with InfinityStar.", "faststar");
  app.formatter_fn(help_page);
  app.set_help_flag("-h,--help", "show this help (--help-all: everything)");
  app.allow_extras();
  app.fallthrough();  // inherited: `faststar t2v --version` works
  Asked asked;
  app.add_flag("--version", asked.version, "version and build")->group(kScreenGroup);
  app.add_flag("--list-devices", asked.devices, "list the devices for --device")->group(kScreenGroup);
  const std::vector<Command> commands = add_commands(app);
  add_help_all(app);
  try {
    try {
      std::deque<std::string> split;
      const auto words = words_of(argc, argv, split);
      app.parse(static_cast<int>(words.size()), words.data());
    } catch (const CLI::ParseError& error) {
      return finish_parse_error(app, error);
    }
    refuse_unknown(app);
    return run_chosen(app, asked, commands, argc, argv);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    throw naming_variable(error, typed_command(app), argc, argv);
  }
}

}  // namespace faststar
