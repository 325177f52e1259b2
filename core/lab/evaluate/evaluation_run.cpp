#include "core/lab/evaluate/evaluation_run.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "core/base/device.h"
#include "core/base/log.h"
#include "core/config/resolve.h"
#include "core/config/value.h"
#include "core/lab/train/model_card.h"
#include "core/media/image.h"
#include "core/pipeline/prompt.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

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

EvaluationSettings chosen_counts(const EvaluationRequest& request, const TrainSettings& training) {
  EvaluationSettings counts = request.quick ? kQuick : EvaluationSettings{};
  counts.video_clips = std::min(last_star_phase(training).video_clips, kMaxVideoClips);
  if (training.world.camera_pan == 0) counts.camera_pans = 0;
  visit_fields(counts, [&](const Field& field, int& count) {
    const auto typed = request.counts.find(field.name);
    if (typed == request.counts.end() || parse_value(typed->second, field, count)) return;
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
fs::path prepare_folder(const EvaluationRequest& request) {
  const fs::path folder = request.output;
  make_folders(folder);
  const Existing existing = replace_if(request.overwrite);
  for (const char* name : {kJson, kMarkdown, kPrompts, kContinuations}) check_writable(folder / name, existing);
  if (!request.log.empty()) check_writable(folder / kCard, existing);
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
CardFacts training_facts(const EvaluationRequest& request) {
  CardFacts facts;
  facts.commit = request.commit;
  if (!request.log.empty()) {
    facts.record = read_train_log(request.log);
    if (facts.record.phases.empty()) fail(ErrorKind::input, fmt::format("{}: not a log of a training", request.log));
    facts.date = day_of(request.log);
  }
  const TrainCall& call = facts.record.call;
  const bool from_log = request.training.empty() && !call.config.empty();
  facts.recipe = from_log ? call.config : request.training.empty() ? "train-tiny" : request.training;
  const std::vector<RecipeStage> stages = find_recipe(facts.recipe);
  const RecipeStage& stage = find_stage(stages, request.stage.empty() && from_log ? call.stage : request.stage);
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

}  // namespace

Evaluation run_evaluation(const EvaluationRequest& asked,
                          const std::function<std::unique_ptr<Progress>(const RuntimeConfig&)>& make_progress) {
  CardFacts facts = training_facts(asked);
  const EvaluationSettings counts = chosen_counts(asked, facts.training);
  ResolvedSettings resolved = resolve_settings({.flags = asked.model, .config = {}});
  const Request request = make_shared_request(Task::text_to_video, resolved);
  const Config& config = resolved.settings.config;
  Model loaded(request.setup, Residency::everything);
  const Pipeline pipeline(loaded);
  const fs::path folder = prepare_folder(asked);
  log::info("model: {}", describe_model(loaded.setup().model));
  const EvaluatedModel model = evaluated_model(pipeline, request, [&](const std::string& prompt) {
    return pipeline.encode_text(video_prompt(prompt, config.prompt, config.generate.duration), request.text_limit);
  });
  check_clip_length(model);
  const auto progress = make_progress(config.runtime);
  Evaluation evaluation = evaluate_into(folder, model, facts.training, counts, *progress);
  if (!asked.log.empty()) {
    facts.device = device_name(loaded.device());
    write_file(folder / kCard, model_card(evaluation, facts), Existing::replace);
  }
  return evaluation;
}

}  // namespace faststar
