#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/interactive_run.h"
#include "core/pipeline/prompt.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

/// The prompts of a file, one per line, all of them checked; blank lines are skipped.
std::deque<std::string> read_prompts(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text = read_text(file, path, "a list of prompts", 1, ErrorKind::input);
  std::deque<std::string> prompts;
  int number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    if (is_blank_text(line)) continue;
    prompts.push_back(checked_prompt(std::string(line), fmt::format("{}:{}", path, number), ErrorKind::input));
  }
  if (prompts.empty()) fail(ErrorKind::input, fmt::format("{}: expected one prompt per line, got none", path));
  return prompts;
}

/// Is called now and then while nobody types.
using OnWait = std::function<void()>;

/// False when a stop was requested: signals do not interrupt the wait.
bool wait_for_input(const OnWait& on_wait) {
  constexpr int kMilliseconds = 100, kRounds = 600;
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  for (int round = 1; !stop_requested(); ++round) {
    if (std::cin.rdbuf()->in_avail() > 0 || poll(&input, 1, kMilliseconds) > 0) return true;
    if (round % kRounds == 0) on_wait();
  }
  return false;
}

/// The next line of stdin that is not blank, typed or written by another program while clips are made.
std::optional<std::string> read_typed_prompt(const OnWait& on_wait) {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  while (true) {
    if (terminal) std::fputs("prompt> ", stderr);
    std::string line;
    if (!wait_for_input(on_wait) || !std::getline(std::cin, line)) return std::nullopt;
    if (is_blank_text(line)) continue;
    try {
      return checked_prompt(line, "stdin", ErrorKind::input);
    } catch (const Error& error) {
      if (!terminal) throw;
      log::warn("{}", error.what());
    }
  }
}

/// The prompts of a run.
struct Prompts {
  std::function<std::optional<std::string>()> next;  ///< at each call, checked; nothing at the end
  size_t total = 0;                                  ///< 0: not known, as they are typed
};

bool are_typed(const std::string& path) { return path.empty() || path == "-"; }

/// Lines that the first process reads, in all of them.
std::optional<std::string> next_typed_prompt(ProcessGroup& group) {
  const std::string kWait = "w", kEnd = "e", kPrompt = "p";  // how a text begins that they agree on
  if (!group.is_first()) {
    std::string text;
    while ((text = group.agree_text("")) == kWait) {
    }
    return text == kEnd ? std::nullopt : std::optional(text.substr(kPrompt.size()));
  }
  // Nobody waits in vain: the wait of the others has a limit.
  const auto prompt = read_typed_prompt([&] { group.agree_text(kWait); });
  group.agree_text(prompt ? kPrompt + *prompt : kEnd);
  return prompt;
}

Prompts prompts_of(const std::string& path, ProcessGroup& group) {
  if (are_typed(path)) {
    // Synchronized with stdio, std::cin would not see lines that stdio has buffered, and wait_for_input() would hang.
    std::ios::sync_with_stdio(false);
    return {[&group] { return next_typed_prompt(group); }};
  }
  std::deque<std::string> read = read_prompts(path);
  const size_t total = read.size();
  return {[prompts = std::move(read)]() mutable -> std::optional<std::string> {
            if (prompts.empty()) return std::nullopt;
            std::string prompt = std::move(prompts.front());
            prompts.pop_front();
            return prompt;
          },
          total};
}

/// A finished file: its path, or a line of JSON with what t2v --json says of one.
void print_file(const InteractiveFile& made, const Request& shared, int64_t peak_bytes, const RuntimeConfig& runtime) {
  if (!runtime.json) return print_path(made.file);
  const nlohmann::ordered_json json = {{"command", "interact"},
                                       {"file", made.file.string()},
                                       {"seed", shared.outputs.front().seed},
                                       {"width", shared.size.width},
                                       {"height", shared.size.height},
                                       {"frames", made.frames},
                                       {"seconds", made.seconds},
                                       {"settings", nlohmann::ordered_json::parse(made.settings_json)},
                                       {"peak_memory_bytes", peak_memory_bytes(peak_bytes)}};
  print_result(json_text(json) + "\n");
}

/// "prompt 2 of 5, clip 1: a red ball"
void log_prompt(size_t number, size_t total, int clip, const std::string& prompt) {
  const std::string of_all = total > 0 ? fmt::format(" of {}", total) : "";
  log::info("prompt {}{}, clip {}: {}", number, of_all, clip, shortened(prompt, kShownPrompt));
}

/// What a dry run would make; `time`: of the first clip.
std::string plan_json(const Request& request, size_t prompts, std::optional<TimeEstimate> time) {
  if (time && prompts > 1) time->seconds += static_cast<double>(prompts - 1) * (time->seconds - time->first);
  nlohmann::ordered_json json = {{"command", "interact"},
                                 {"dry_run", true},
                                 {"file", request.outputs.front().file.string()},
                                 {"prompts", prompts},
                                 {"width", request.size.width},
                                 {"height", request.size.height}};
  json.update(to_json(time));
  return json_text(json, 2) + "\n";
}

/// Joins the clips made so far, also after an error or a stop.
void run_steps(InteractiveRun& run, const Request& shared, const RuntimeConfig& runtime,
               std::optional<std::string> prompt, const Prompts& prompts) {
  const auto print = [&](const InteractiveFile& made) { print_file(made, shared, run.peak_bytes(), runtime); };
  const auto finish = [&] {
    if (const auto joined = run.finish()) print(*joined);
  };
  try {
    for (size_t number = 1; prompt; prompt = prompts.next(), ++number) {
      log_prompt(number, prompts.total, run.next_clip(), *prompt);
      ProgressDisplay progress(shared.setup.group->is_first() ? shown_style(runtime) : ProgressStyle::none);
      for (const InteractiveFile& made : run.step(*prompt, progress)) print(made);
    }
  } catch (...) {
    finish();
    throw;
  }
  finish();
}

/// `prompts`: a file; empty or "-": lines from stdin.
int run_interact(const CLI::App& app, const std::string& prompts, MakingOptions options) {
  const std::vector<std::string> devices = choose_devices(options.devices, options.settings.flags);
  ResolvedSettings resolved = resolve_options(options);
  const Config& config = resolved.settings.config;
  if (!devices.empty() && !options.dry_run) {
    if (are_typed(prompts)) pass_on_terminal();
    return make_together(app, devices, config);
  }
  stop_in_two_stages();
  join_group(resolved, devices);
  ProcessGroup& group = *resolved.group;
  const Prompts listed = prompts_of(prompts, group);
  const std::optional<std::string> first = listed.next();
  if (!first) fail(ErrorKind::usage, "no prompt", "give a file with one prompt per line, or type prompts");
  const Request request = make_interactive_request(resolved, *first);
  if (group.is_first()) save_config(options, resolved);
  for (const std::string& line : describe(request)) log::info("{}", line);
  warn_about_untrained_use(request);
  Model model(request.setup, Residency::everything);
  Pipeline pipeline(model);
  InteractiveRun run(pipeline, request, config);
  if (options.dry_run) {
    const auto time = run.check(*first);
    if (config.runtime.json) print_result(plan_json(request, listed.total, time));
  } else {
    run_steps(run, request, config.runtime, first, listed);
  }
  group.leave();
  return 0;
}

}  // namespace

Command add_interact(CLI::App& app) {
  CLI::App* command = app.add_subcommand("interact", "make a video clip by clip, one prompt per clip");
  const auto prompts = std::make_shared<std::string>();
  const auto options = std::make_shared<MakingOptions>();
  command->add_option("PROMPTS", *prompts, "a file with one prompt per line; without it, type prompts");
  add_making_options(*command, FlagScope::interact, *options);
  return {command, [command, prompts, options] { return run_interact(*command, *prompts, *options); }};
}

}  // namespace faststar
