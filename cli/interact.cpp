#include <poll.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/help.h"
#include "cli/options/options.h"
#include "cli/progress/progress.h"
#include "cli/progress/result.h"
#include "cli/progress/signals.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/prompt.h"
#include "core/pipeline/source.h"
#include "core/pipeline/story.h"

namespace faststar {
namespace {

struct InteractOptions {
  std::string prompts;  ///< a file; empty or "-": lines from stdin
  MakingOptions making;
};

/// Prompts, one per line; blank lines are skipped.
class PromptLines {
 public:
  virtual ~PromptLines() = default;
  /// The next one, checked; nothing at the end.
  virtual std::optional<std::string> next() = 0;
};

/// A file, read and checked as a whole at the start.
class PromptFile final : public PromptLines {
 public:
  explicit PromptFile(const std::string& path) {
    std::error_code ignored;
    std::ifstream file(path, std::ios::binary);
    if (!file || std::filesystem::is_directory(path, ignored))
      fail(ErrorKind::input, fmt::format("{}: cannot read", path), "expected a file with one prompt per line");
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      if (is_blank_text(line)) continue;
      prompts_.push_back(checked_prompt(line, fmt::format("{}:{}", path, number), ErrorKind::input));
    }
    if (prompts_.empty()) fail(ErrorKind::input, fmt::format("{}: expected one prompt per line, got none", path));
  }
  std::optional<std::string> next() override {
    if (next_ == prompts_.size()) return std::nullopt;
    return prompts_[next_++];
  }

 private:
  std::vector<std::string> prompts_;
  size_t next_ = 0;
};

/// Lines from stdin, typed or written by another program while clips are made.
class TypedPrompts final : public PromptLines {
 public:
  /// Synchronized with stdio, std::cin would not see lines that stdio has buffered, and wait_for_input() would hang.
  TypedPrompts() { std::ios::sync_with_stdio(false); }

  std::optional<std::string> next() override {
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

 private:
  /// False when a stop was requested: signals do not interrupt the wait.
  static bool wait_for_input() {
    constexpr int kMilliseconds = 100;
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (!stop_requested()) {
      if (std::cin.rdbuf()->in_avail() > 0 || poll(&input, 1, kMilliseconds) > 0) return true;
    }
    return false;
  }
};

std::unique_ptr<PromptLines> open_prompts(const std::string& path) {
  if (path.empty() || path == "-") return std::make_unique<TypedPrompts>();
  return std::make_unique<PromptFile>(path);
}

StoryLine line_of(Request job, const std::string& prompt, Config config) {
  set_prompt(job, prompt, config);
  config.prompt.prompt = prompt;
  return {job.prompt, job.model_prompt, output_settings(job, config, job.outputs.front().seed)};
}

void print_file(const std::filesystem::path& file, const RuntimeConfig& runtime) {
  if (!runtime.json) return print_path(file);
  print_result(nlohmann::json{{"file", file.string()}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
               "\n");
}

/// Completes the joined file of all clips so far.
void finish_story(Story& story, const RuntimeConfig& runtime) {
  if (const auto joined = story.finish()) print_file(*joined, runtime);
}

void run_all(Story& story, const Request& job, const Config& config, std::string first, PromptLines& lines) {
  for (std::optional<std::string> prompt = std::move(first); prompt; prompt = lines.next()) {
    ProgressDisplay progress(config.runtime.quiet ? ProgressStyle::none : config.runtime.progress);
    for (const auto& file : story.tell(line_of(job, *prompt, config), progress)) print_file(file, config.runtime);
  }
}

/// Joins the clips made so far, also after an error or a stop.
void run_story(Story& story, const Request& job, const Config& config, const std::string& first, PromptLines& lines) {
  try {
    run_all(story, job, config, first, lines);
  } catch (...) {
    finish_story(story, config.runtime);
    throw;
  }
  finish_story(story, config.runtime);
}

int run_interact(InteractOptions options) {
  apply_option_environment(options.making);
  ResolvedSettings resolved = resolve_settings(options.making.settings);
  const Config& config = resolved.settings.config;
  log::set_quiet(config.runtime.quiet);
  stop_in_two_stages();
  const auto lines = open_prompts(options.prompts);
  const std::optional<std::string> first = lines->next();
  if (!first) fail(ErrorKind::usage, "no prompt", "give a file with one prompt per line, or type prompts");
  const Request job = make_interactive_request(resolved, *first);
  save_config(options.making, resolved);
  for (const std::string& line : describe(job)) log::info("{}", line);
  warn_about_untrained_use(job);
  Model model(job.setup, Residency::everything);
  Story story(model, job);
  if (options.making.dry_run) {
    story.check(line_of(job, *first, config));
  } else {
    run_story(story, job, config, *first, *lines);
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
