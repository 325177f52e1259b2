#include <unistd.h>

#include <CLI/App.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/output_files.h"
#include "cli/plan_job.h"
#include "cli/progress.h"
#include "cli/result.h"
#include "cli/signals.h"
#include "core/engine/story.h"
#include "core/error.h"
#include "core/log.h"
#include "core/media/video_reader.h"
#include "core/text/prompt.h"

namespace faststar {
namespace {

struct InteractOptions {
  std::string prompts;  ///< a file; empty or "-": lines typed one after another
  MakingOptions making;
};

/// Prompts, a line each; empty lines do not count.
class PromptLines {
 public:
  explicit PromptLines(const std::string& path) : name_(path.empty() || path == "-" ? "stdin" : path) {
    if (name_ == "stdin") return;
    file_.open(path, std::ios::binary);
    if (!file_) fail(ErrorKind::input, fmt::format("{}: cannot read", path), "a file with a prompt a line");
  }

  /// The next one, checked; nothing at the end. Throws Error(input) naming the line.
  std::optional<std::string> next() {
    std::string line;
    while (read_line(line)) {
      ++number_;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      return checked_prompt(line, fmt::format("{}:{}", name_, number_), ErrorKind::input);
    }
    return std::nullopt;
  }

 private:
  bool read_line(std::string& line) {
    const bool typed = !file_.is_open() && isatty(STDIN_FILENO) == 1;
    if (typed) std::fputs("prompt> ", stderr);
    return static_cast<bool>(std::getline(file_.is_open() ? file_ : std::cin, line));
  }

  std::string name_;
  std::ifstream file_;
  int number_ = 0;
};

/// The template nearest to the video's shape, unless one was asked for.
void choose_aspect(Settings& settings) {
  GenerateConfig& generate = settings.config.generate;
  if (!generate.video || settings.origin("aspect").source > Source::preset) return;
  const VideoReader video(*generate.video);
  generate.aspect = {static_cast<int>(video.info().width), static_cast<int>(video.info().height)};
}

GenerateJob plan_story(ResolvedSettings& resolved, const std::string& first_prompt) {
  choose_aspect(resolved.settings);
  GenerateJob job = plan_shared(Task::continuation, resolved);
  job.outputs = choose_outputs(Task::continuation, resolved.settings.config.output, first_prompt,
                               choose_seeds(resolved.settings));
  set_prompt(job, first_prompt, resolved.settings.config);
  job.outputs.front().settings_json = output_settings(job, resolved.settings.config, job.outputs.front().seed);
  return job;
}

void print_file(const std::filesystem::path& file, const RuntimeConfig& runtime) {
  if (!runtime.json) return print_path(file);
  print_result(nlohmann::json{{"file", file.string()}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
               "\n");
}

/// Tells clip after clip; what is made by then is joined, however the telling ends.
void tell_all(Story& story, const Config& config, GenerateJob job, std::string prompt, PromptLines& lines) {
  const auto finish = [&] {
    if (const auto joined = story.finish()) print_file(*joined, config.runtime);
  };
  try {
    for (std::optional<std::string> next = std::move(prompt); next; next = lines.next()) {
      set_prompt(job, *next, config);
      ProgressDisplay progress(config.runtime.quiet ? ProgressStyle::none : config.runtime.progress);
      for (const auto& file : story.tell(job.prompt, job.model_prompt, progress)) print_file(file, config.runtime);
    }
  } catch (const Error&) {
    finish();
    throw;
  }
  finish();
}

int run_interact(InteractOptions options) {
  apply_option_environment(options.making);
  ResolvedSettings resolved = resolve_settings(options.making.settings);
  const Config& config = resolved.settings.config;
  log::set_quiet(config.runtime.quiet);
  PromptLines lines(options.prompts);
  const std::optional<std::string> first = lines.next();
  if (!first) fail(ErrorKind::usage, "no prompt", "a file with a prompt a line, or lines on stdin");
  const GenerateJob job = plan_story(resolved, *first);
  for (const std::string& line : describe_job(job)) log::info("{}", line);
  if (job.setup.model.embedded) {
    log::info("the embedded model was not trained for this mode: it shows the mechanics");
  }
  Engine engine(job.setup, Residency::everything);
  stop_in_two_stages();
  Story story(engine, job);
  if (options.making.dry_run) {
    story.check(job.prompt, job.model_prompt);
  } else {
    tell_all(story, config, job, *first, lines);
  }
  return 0;
}

}  // namespace

Command add_interact(CLI::App& app) {
  CLI::App* command = app.add_subcommand("interact", "a story, clip by clip, a prompt each");
  const auto options = std::make_shared<InteractOptions>();
  command->add_option("PROMPTS", options->prompts, "a file with a prompt a line; without it, lines are typed");
  add_making_options(*command, FlagScope::interact, options->making);
  return {command, [options] { return run_interact(*options); }};
}

}  // namespace faststar
