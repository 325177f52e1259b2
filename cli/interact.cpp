#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/inputs.h"
#include "core/pipeline/interactive_run.h"

namespace faststar {
namespace {

struct InteractOptions {
  std::string prompts;  ///< a file; empty or "-": lines from stdin
  MakingOptions making;
};

/// Prompts, one per line; blank lines are skipped. A file is read and checked as a whole at the start; lines from stdin
/// are typed or written by another program while clips are made.
class PromptLines {
 public:
  explicit PromptLines(const std::string& path) : typed_(path.empty() || path == "-") {
    if (typed_) {
      // Synchronized with stdio, std::cin would not see lines that stdio has buffered, and wait_for_input() would hang.
      std::ios::sync_with_stdio(false);
    } else {
      read_file(path);
    }
  }

  /// The next one, checked; nothing at the end.
  std::optional<std::string> next() {
    if (typed_) return next_typed();
    if (of_file_.empty()) return std::nullopt;
    std::string prompt = std::move(of_file_.front());
    of_file_.pop_front();
    return prompt;
  }

 private:
  void read_file(const std::string& path) {
    std::error_code ignored;
    std::ifstream file(path, std::ios::binary);
    if (!file || std::filesystem::is_directory(path, ignored)) {
      fail(ErrorKind::input, fmt::format("{}: cannot read", path), "expected a file with one prompt per line");
    }
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      if (is_blank_text(line)) continue;
      of_file_.push_back(checked_prompt(line, fmt::format("{}:{}", path, number), ErrorKind::input));
    }
    if (of_file_.empty()) fail(ErrorKind::input, fmt::format("{}: expected one prompt per line, got none", path));
  }

  static std::optional<std::string> next_typed() {
    const bool terminal = isatty(STDIN_FILENO) == 1;
    while (true) {
      if (terminal) std::fputs("prompt> ", stderr);
      std::string line;
      if (!wait_for_input() || !std::getline(std::cin, line)) return std::nullopt;
      if (is_blank_text(line)) continue;
      try {
        return checked_prompt(line, "stdin", ErrorKind::input);
      } catch (const Error& error) {
        if (!terminal) throw;
        log::warn("{}", error.what());
      }
    }
  }

  /// False when a stop was requested: signals do not interrupt the wait.
  static bool wait_for_input() {
    constexpr int kMilliseconds = 100;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (!stop_requested()) {
      if (std::cin.rdbuf()->in_avail() > 0 || poll(&input, 1, kMilliseconds) > 0) return true;
    }
    return false;
  }

  bool typed_;
  std::deque<std::string> of_file_;
};

void print_file(const std::filesystem::path& file, const RuntimeConfig& runtime) {
  if (!runtime.json) return print_path(file);
  print_result(json_text(nlohmann::json{{"file", file.string()}}) + "\n");
}

/// Completes the joined file of all clips so far.
void finish_run(InteractiveRun& run, const RuntimeConfig& runtime) {
  if (const auto joined = run.finish()) print_file(*joined, runtime);
}

/// Joins the clips made so far, also after an error or a stop.
void run_steps(InteractiveRun& run, const RuntimeConfig& runtime, std::optional<std::string> prompt,
               PromptLines& lines) {
  try {
    for (; prompt; prompt = lines.next()) {
      ProgressDisplay progress(runtime);
      for (const auto& file : run.step(*prompt, progress)) print_file(file, runtime);
    }
  } catch (...) {
    finish_run(run, runtime);
    throw;
  }
  finish_run(run, runtime);
}

int run_interact(InteractOptions options) {
  ResolvedSettings resolved = resolve_options(options.making);
  const Config& config = resolved.settings.config;
  stop_in_two_stages();
  PromptLines lines(options.prompts);
  const std::optional<std::string> first = lines.next();
  if (!first) fail(ErrorKind::usage, "no prompt", "give a file with one prompt per line, or type prompts");
  const Request request = make_interactive_request(resolved, *first);
  save_config(options.making, resolved);
  for (const std::string& line : describe(request)) log::info("{}", line);
  warn_about_untrained_use(request);
  Model model(request.setup, Residency::everything);
  Pipeline pipeline(model);
  InteractiveRun run(pipeline, request, config);
  if (options.making.dry_run) {
    run.check(*first);
  } else {
    run_steps(run, config.runtime, first, lines);
  }
  return 0;
}

}  // namespace

Command add_interact(CLI::App& app) {
  CLI::App* command = app.add_subcommand("interact", "make a video clip by clip, one prompt per clip");
  const auto options = std::make_shared<InteractOptions>();
  command->add_option("PROMPTS", options->prompts, "a file with one prompt per line; without it, type prompts");
  add_making_options(*command, FlagScope::interact, options->making);
  return {command, [options] { return run_interact(*options); }};
}

}  // namespace faststar
