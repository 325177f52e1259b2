#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model/reduce/gate.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/run.h"
#include "core/pipeline/source.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

Workload workload_of(const Model& model, const Request& request, const TextIds& ids) {
  const Checkpoints& checkpoints = model.checkpoints();
  Workload work{.star = checkpoints.star_architecture,
                .t5 = checkpoints.t5_architecture,
                .vae = checkpoints.vae_architecture,
                .schedule = request.codes ? Schedule({request.codes->scale()}) : request.schedule,
                .repetitions = {{1}, {1}},
                .dtype = model.dtype(),
                .device = model.device(),
                .attention_precision = request.generation.attention.precision};
  work.decoded_latents = work.schedule.latent_frames();
  if (request.codes) return work;
  work.repetitions = request.generation.repetitions;
  work.fp8 = Fp8Passes(request.generation.linears, request.generation.fp8_scales, work.schedule);
  work.guidance_rows = GuidanceRows(request.generation.guidance, request.schedule);
  work.text_tokens = std::max(ids.prompt.size(0), ids.negative ? ids.negative->size(0) : 0);
  work.preview = request.outputs.front().preview.has_value();
  work.warm = model.has_transformer();
  work.gate = ReductionGate(request.generation.reduction, work.schedule, work.repetitions);
  work.given_clips = request.given_clips();
  if (request.task == Task::interactive) {
    work.condition_tokens = interactive_condition_tokens(work.schedule);
    work.decoded_latents *= 2;
  }
  if (request.source) work.source_frames = frames_of_latents(request.source->latents);
  return work;
}

double token_seconds(const Workload& work) {
  double seconds = 0;
  for (const Step& step : steps_to_run(work)) seconds += step_seconds(work, step);
  return seconds;
}

double preview_seconds(const Workload& work) {
  double seconds = 0;
  for (int clip = std::max(1, work.given_clips); work.preview && clip < work.schedule.clips(); ++clip) {
    seconds += decode_seconds(work, work.schedule.frames_of(clip).end);
  }
  return seconds;
}

/// Share of a decode that completing the file takes beyond it; encoding itself overlaps decoding.
constexpr double kFileShare = 0.1;

/// Of all that one output decodes at the end.
double final_decode_seconds(const Workload& work) {
  // An interactive run shows its source as the VAE reconstructs it.
  const bool shows_source = work.condition_tokens > 0 && work.source_frames > 0;
  return decode_seconds(work, work.decoded_latents + (shows_source ? latents_of_frames(work.source_frames) : 0));
}

std::map<Stage, double> costs_of(const Model& model, const Plan& plan) {
  const auto outputs = static_cast<double>(plan.request.outputs.size());
  const bool loads_again = plan.memory.mode.residency == Residency::one_part;
  const double decode = outputs * final_decode_seconds(plan.work);
  std::map<Stage, double> costs = {{Stage::load, load_cost(model, plan.memory) * (loads_again ? outputs : 1)},
                                   {Stage::text, text_seconds(plan.work)},
                                   {Stage::tokens, outputs * token_seconds(plan.work)},
                                   {Stage::decode, decode},
                                   {Stage::encode, decode * kFileShare}};
  if (plan.source) costs[Stage::source] = encode_seconds(plan.work);
  if (plan.work.preview) costs[Stage::preview] = outputs * preview_seconds(plan.work);
  return costs;
}

void plan_generation(const Pipeline& pipeline, Plan& plan) {
  const Model& model = pipeline.model();
  const Request& request = plan.request;
  check_depth(request.generation.reduction, model.checkpoints().star_architecture.layers);
  plan.ids = pipeline.tokenize(request.model_prompt, request.negative, request.text_limit);
  if (request.source) {
    warn_about_untrained_source(request);
    plan.sound = read_source_sound(request);
    plan.source = read_source(*request.source, request.size);
  }
  plan.work = workload_of(model, request, plan.ids);
  plan.memory = choose_memory_plan(plan.work, model.budget());
  log::info("memory: {}", plan.memory.text_line());
  plan.costs = costs_of(model, plan);
}

/// Codes mean something to the VAE of their own model only.
void check_vae_of_codes(const Model& model, const SavedCodes& codes) {
  if (model.vae_fingerprint() == codes.vae_fingerprint) return;
  fail(ErrorKind::model, fmt::format("{}: the codes were made with another VAE", model.checkpoints().vae->origin()),
       "use --model DIR with the model that made the codes");
}

void plan_decode(const Pipeline& pipeline, Plan& plan) {
  const Model& model = pipeline.model();
  const Request& request = plan.request;
  const VideoSize& size = request.size;
  check_vae_of_codes(model, *request.codes);
  // A batch records with each video whether its text was cut, also when its codes are there.
  if (!request.model_prompt.empty())
    plan.ids = pipeline.tokenize(request.model_prompt, request.negative, request.text_limit);
  plan.work = workload_of(model, request, {});
  plan.memory = choose_decode_plan(plan.work, model.budget());
  log::info("size: {}x{}, {} frames; memory: {:.1f} GB", size.width, size.height, size.frames,
            static_cast<double>(plan.memory.decode) * 1e-9);
  const double decode = final_decode_seconds(plan.work);
  plan.costs = {{Stage::decode, decode}, {Stage::encode, decode * kFileShare}};
}

}  // namespace

double load_cost(const Model& model, const MemoryPlan& memory) {
  if (model.has_transformer()) return 0;
  constexpr double kRandomWeights = 0.1;
  constexpr double kDiskRate = 2e9;  // bytes/s
  return model.setup().model.random_weights ? kRandomWeights : static_cast<double>(memory.weights) / kDiskRate;
}

Plan make_plan(const Pipeline& pipeline, Request request) {
  Plan plan{.request = std::move(request)};
  const Request& made = plan.request;
  plan.shown = {made.first_frame, made.leaves_out_source() ? frames_of_latents(made.source->latents) : 0};
  check_disk_space(made);
  if (made.codes) {
    plan_decode(pipeline, plan);
  } else {
    plan_generation(pipeline, plan);
  }
  return plan;
}

}  // namespace faststar
