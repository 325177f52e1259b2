#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/progress/progress.h"
#include "core/base/device.h"
#include "core/base/log.h"
#include "core/lab/evaluate/evaluation.h"
#include "core/lab/train/model_card.h"
#include "core/media/image.h"
#include "core/pipeline/prompt.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

struct EvaluateCommand {
  FieldTexts model;  ///< settings of the run, as given
  FieldTexts counts;
  std::string training;  ///< empty: named by the log, else the recipe of the embedded model
  std::string stage;     ///< of the training; empty: named by the log, else the last one
  std::string output = "evaluation";
  std::string log;  ///< of its training; empty: no model card
  std::string commit = "unknown";
  bool quick = false;
  bool json = false;
  bool overwrite = false;
};

/// A tenth of everything: minutes on a CPU, seconds on a GPU.
constexpr EvaluationSettings kQuick = {.vae_clips = 4,
                                       .long_vae_clips = 2,
                                       .bit_clips = 4,
                                       .one_object = 20,
                                       .two_objects = 10,
                                       .foreign_words = 10,
                                       .camera_pans = 10,
                                       .one_second = 10,
                                       .four_seconds = 10,
                                       .continuations = 10,
                                       .checker_clips = 20};

EvaluationSettings chosen_counts(const EvaluateCommand& command, const TrainSettings& training) {
  EvaluationSettings counts = command.quick ? kQuick : EvaluationSettings{};
  counts.video_clips = std::min(last_star_phase(training).video_clips, kMaxVideoClips);
  if (training.world.camera_pan == 0) counts.camera_pans = 0;
  visit_fields(counts, [&](const Field& field, int& count) {
    const auto typed = command.counts.find(field.name);
    if (typed == command.counts.end() || parse_value(typed->second, field, count)) return;
    fail_value({Source::flag, flag_name(field.name)}, expected_text(field, count), typed->second);
  });
  return counts;
}

constexpr const char* kJson = "evaluation.json";
constexpr const char* kMarkdown = "evaluation.md";
constexpr const char* kPrompts = "prompts.png";
constexpr const char* kContinuations = "continuations.png";
constexpr const char* kCard = "MODEL.md";

/// Creates the folder of the results. Throws Error(output) when it has results that may not be replaced.
fs::path prepare_folder(const EvaluateCommand& command) {
  const fs::path folder = command.output;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(ErrorKind::output, fmt::format("--output {}: {}", command.output, error.message()));
  const Existing existing = replace_if(command.overwrite);
  for (const char* name : {kJson, kMarkdown, kPrompts, kContinuations}) check_writable(folder / name, existing);
  if (!command.log.empty()) check_writable(folder / kCard, existing);
  return folder;
}

/// The day a file was last written: 2026-11-22.
std::string day_of(const fs::path& file) {
  std::error_code error;
  const auto written = fs::last_write_time(file, error);
  if (error) fail(ErrorKind::input, fmt::format("--log {}: {}", file.string(), error.message()));
  return fmt::format("{:%Y-%m-%d}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::file_clock::to_sys(written))));
}

/// What is known of the training of the model; record and date from --log.
CardFacts training_facts(const EvaluateCommand& command) {
  CardFacts facts;
  facts.commit = command.commit;
  if (!command.log.empty()) {
    facts.record = read_train_log(command.log);
    if (facts.record.phases.empty()) fail(ErrorKind::input, fmt::format("{}: not a log of a training", command.log));
    facts.date = day_of(command.log);
  }
  const TrainCall& call = facts.record.call;
  const bool from_log = command.training.empty() && !call.config.empty();
  facts.recipe = from_log ? call.config : command.training.empty() ? "train-tiny" : command.training;
  const std::vector<RecipeStage> stages = find_recipe(facts.recipe);
  const RecipeStage& stage = find_stage(stages, command.stage.empty() && from_log ? call.stage : command.stage);
  facts.stage = stage.name;
  facts.training = stage.settings;
  return facts;
}

/// Measures everything, and writes the results to `folder` when all are there.
Evaluation evaluate_into(const fs::path& folder, const EvaluatedModel& model, const TrainSettings& training,
                         const EvaluationSettings& counts, Progress& progress) {
  progress.plan(Stage::evaluate, sheets_cost(counts.video_clips) + evaluation_cost(counts));
  const auto listener = [&](std::string_view part, int64_t done, int64_t total, double cost) {
    progress.advance(Stage::evaluate, cost, fmt::format("{} {}/{}", part, done, total));
    if (progress.stop_requested()) fail(ErrorKind::interrupted, "stopped; no results were written");
  };
  const Tensor prompts = prompt_sheet(model, listener);
  std::optional<Tensor> continuations;
  if (counts.video_clips > 1) continuations = continuation_sheet(model, training.world, listener);
  Evaluation evaluation = evaluate_model(model, training.world, counts, listener);
  write_image(folder / kPrompts, prompts, "", Existing::replace);
  if (continuations) write_image(folder / kContinuations, *continuations, "", Existing::replace);
  write_file(folder / kJson, evaluation_json(evaluation), Existing::replace);
  write_file(folder / kMarkdown, evaluation_markdown(evaluation), Existing::replace);
  return evaluation;
}

/// The checker needs clips of two seconds.
void check_clip_length(const EvaluatedModel& model) {
  constexpr int kLatents = 8;
  if (model.size.latents_per_clip == kLatents) return;
  fail(ErrorKind::usage, fmt::format("evaluate: expected a model with {} latent frames per clip, got {}", kLatents,
                                     model.size.latents_per_clip));
}

int run_evaluate(const EvaluateCommand& command) {
  CardFacts facts = training_facts(command);
  const EvaluationSettings counts = chosen_counts(command, facts.training);
  ResolvedSettings resolved = resolve_settings({.flags = command.model, .config = {}});
  const Request request = make_shared_request(Task::text_to_video, resolved);
  const Config& config = resolved.settings.config;
  Model loaded(request.setup, Residency::everything);
  const Pipeline pipeline(loaded);
  const fs::path folder = prepare_folder(command);
  log::info("model: {}", describe_model(loaded.setup().model));
  const EvaluatedModel model = evaluated_model(pipeline, request, [&](const std::string& prompt) {
    return pipeline.encode_text(video_prompt(prompt, config.prompt, config.generate.duration), request.text_limit);
  });
  check_clip_length(model);
  stop_in_two_stages();
  ProgressDisplay progress(config.runtime.progress);
  const Evaluation evaluation = evaluate_into(folder, model, facts.training, counts, progress);
  if (!command.log.empty()) {
    facts.device = device_name(loaded.device());
    write_file(folder / kCard, model_card(evaluation, facts), Existing::replace);
  }
  if (command.json) {
    print_result(evaluation_json(evaluation));
  } else {
    print_path(folder);
  }
  return 0;
}

}  // namespace

Command add_evaluate(CLI::App& app) {
  CLI::App* command = app.add_subcommand("evaluate", "measure a model of the embedded kind on held-out clips");
  const auto options = std::make_shared<EvaluateCommand>();
  add_command_option(*command, "output", options->output, "DIR", "folder of the results (evaluation)");
  const auto add = [&](std::string_view name, FieldTexts& texts, const char* argument, const char* help,
                       const auto& group) {
    const auto set = [&texts, key = std::string(name)](const std::string& value) { texts[key] = value; };
    command->add_option_function<std::string>(flag_name(name), set, help)->type_name(argument)->group(group);
  };
  add("model", options->model, "DIR", "a model folder (the embedded model)", kScreenGroup);
  add("device", options->model, "NAME", "cpu, cuda or cuda:N", kScreenGroup);
  add("precision", options->model, "NAME", "fp32, bf16 or fp8", kScreenGroup);
  add("guidance", options->model, "X", "guidance scale (default: from the model)", kMoreGroup);
  add("progress", options->model, "STYLE", "auto, bar, plain, json or none", kMoreGroup);
  add_command_option(*command, "training", options->training, "NAME|FILE", "recipe of the model (train-tiny)");
  add_command_option(*command, "stage", options->stage, "NAME", "stage of that recipe (the last one)");
  add_command_option(*command, "log", options->log, "FILE", "log.jsonl of the training: write MODEL.md");
  add_command_option(*command, "commit", options->commit, "TEXT", "training commit, recorded in MODEL.md");
  add_command_option(*command, "quick", options->quick, "", "use a tenth of the clips");
  add_command_option(*command, "json", options->json, "", "print the results as JSON");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace existing results");
  const EvaluationSettings defaults;
  visit_fields(defaults,
               [&](const Field& field, int) { add(field.name, options->counts, "N", field.help.data(), kMoreGroup); });
  return {command, [options] { return run_evaluate(*options); }};
}

}  // namespace faststar
