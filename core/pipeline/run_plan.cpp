#include "core/pipeline/run_plan.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/model/reduce/check.h"
#include "core/pipeline/cost_model.h"
#include "core/pipeline/disk_space.h"
#include "core/pipeline/source.h"

namespace faststar {

Schedule schedule_of(const GenerateJob& job) {
  const JobSize& size = job.size;
  if (job.task == Task::continuation) return continuation_schedule(size.aspect_key, size.pn, size.latents_per_clip);
  return make_schedule(size.aspect_key, size.pn, size.latent_frames, size.latents_per_clip);
}

namespace {

Workload workload_of(const Engine& engine, const GenerateJob& job, const TextIds& ids) {
  const OpenModel& model = engine.model();
  Workload work{.star = model.star_architecture,
                .t5 = model.t5_architecture,
                .vae = model.vae_architecture,
                .schedule = schedule_of(job),
                .repetitions = {job.schedule.image_repetitions, job.schedule.video_repetitions},
                .guidance_rows = job.guidance.guidance == 1 ? 1 : 2,
                .text_tokens = ids.tokens(),
                .warm = engine.has_transformer(),
                .dtype = engine.dtype(),
                .device = engine.device()};
  work.gate = ReductionGate(job.reduction, work.schedule, work.repetitions);
  work.decoded_latents = work.schedule.latent_frames();
  if (job.task == Task::continuation) {
    work.condition_tokens = interactive_condition_tokens(work.schedule);
    work.decoded_latents *= 2;
  } else if (job.source) {
    while (work.schedule.frames_of(work.given_clips).begin < job.source->latents) ++work.given_clips;
  }
  if (job.source) work.source_frames = frames_of_latents(job.source->latents);
  work.preview = job.outputs.front().preview.has_value();
  return work;
}

}  // namespace

double RunPlan::token_seconds() const {
  double seconds = 0;
  for (const Step& step : steps_to_run(work)) seconds += step_seconds(work, step);
  return seconds;
}

double RunPlan::preview_seconds() const {
  double seconds = 0;
  for (int clip = std::max(1, work.given_clips); work.preview && clip < work.schedule.clips(); ++clip) {
    seconds += faststar::decode_seconds(work, work.schedule.frames_of(clip).end);
  }
  return seconds;
}

double RunPlan::decode_seconds() const {
  // A story's source is shown as the VAE sees it.
  const bool shows_source = work.condition_tokens > 0 && work.source_frames > 0;
  const int64_t source_latents = shows_source ? latents_of_frames(work.source_frames) : 0;
  return faststar::decode_seconds(work, work.decoded_latents + source_latents);
}

RunPlan plan_run(const Engine& engine, const GenerateJob& job) {
  check_depth(job.reduction, engine.model().star_architecture.layers);
  check_disk_space(job);
  TextIds ids = tokenize_texts({job.model_prompt, job.negative, job.text_limit}, engine.model());
  std::optional<Tensor> source;
  if (job.source) source = read_source(*job.source, job.size);
  Workload work = workload_of(engine, job, ids);
  const MemoryPlan memory = choose_memory_plan(work, engine.budget());
  log::info("memory: {}", memory.text_line());
  return {std::move(ids), std::move(source), std::move(work), memory};
}

GenerationSettings generation_settings(const Engine& engine, const GenerateJob& job, int64_t seed) {
  return {.repetitions = {job.schedule.image_repetitions, job.schedule.video_repetitions},
          .semantic_scales = job.schedule.semantic_scales,
          .guidance = {job.guidance.guidance_method, job.guidance.guidance, job.guidance.apg_norm_threshold},
          .tau_image = job.tau_image,
          .tau_video = job.tau_video,
          .sampling = job.sampling,
          .seed = static_cast<uint64_t>(seed),
          .attention = engine.setup().attention,
          .reduction = job.reduction};
}

double load_cost(const Engine& engine, const RunPlan& plan) {
  if (engine.has_transformer()) return 0;
  constexpr double kRandomWeights = 0.1;
  return engine.setup().model.random_weights ? kRandomWeights : load_seconds(plan.memory.weights);
}

void announce_costs(const Engine& engine, const GenerateJob& job, const RunPlan& plan, Progress& progress) {
  const auto outputs = static_cast<double>(job.outputs.size());
  const bool loads_again = plan.memory.mode.residency == Residency::one_part;
  progress.plan(Stage::load, load_cost(engine, plan) * (loads_again ? outputs : 1));
  progress.plan(Stage::text, text_seconds(plan.work));
  if (plan.source) progress.plan(Stage::source, encode_seconds(plan.work));
  progress.plan(Stage::tokens, outputs * plan.token_seconds());
  if (plan.work.preview) progress.plan(Stage::preview, outputs * plan.preview_seconds());
  progress.plan(Stage::decode, outputs * plan.decode_seconds());
  progress.plan(Stage::encode, outputs * plan.decode_seconds() * kFileShare);
}

int preview_scale(const Schedule& schedule) {
  constexpr double kShareOfHeight = 0.4;
  const int height = schedule.scales()[static_cast<size_t>(schedule.scales_per_clip()) - 1].h;
  int scale = 0;
  while (schedule.scales()[static_cast<size_t>(scale)].h < kShareOfHeight * height) ++scale;
  return scale;
}

}  // namespace faststar
