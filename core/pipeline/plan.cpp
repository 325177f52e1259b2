#include "core/pipeline/plan.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/model/reduce/check.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/source.h"

namespace faststar {
namespace {

Workload workload_of(const Model& model, const Request& request, const TextIds& ids) {
  const Checkpoints& checkpoints = model.checkpoints();
  Workload work{.star = checkpoints.star_architecture,
                .t5 = checkpoints.t5_architecture,
                .vae = checkpoints.vae_architecture,
                .schedule = request.schedule,
                .repetitions = request.generation.repetitions,
                .guidance_rows = request.generation.guidance.scale == 1 ? 1 : 2,
                .text_tokens = ids.tokens(),
                .preview = request.outputs.front().preview.has_value(),
                .warm = model.has_transformer(),
                .dtype = model.dtype(),
                .device = model.device()};
  work.gate = ReductionGate(request.generation.reduction, work.schedule, work.repetitions);
  work.decoded_latents = work.schedule.latent_frames();
  if (request.task == Task::interactive) {
    work.condition_tokens = interactive_condition_tokens(work.schedule);
    work.decoded_latents *= 2;
  } else if (request.source) {
    while (work.schedule.frames_of(work.given_clips).begin < request.source->latents) ++work.given_clips;
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

}  // namespace

int64_t TextIds::tokens() const { return std::max(prompt.size(0), negative ? negative->size(0) : 0); }

TextIds tokenize(Model& model, const std::string& prompt, const std::optional<std::string>& negative, int64_t limit) {
  const int64_t most = std::min(limit, model.checkpoints().star_architecture.text_rows);
  bool cut = false;
  const auto encode = [&](const std::string& text, const char* what) {
    const Tokenizer::Encoded encoded = model.tokenizer().encode(text, most);
    cut = !encoded.cut.empty();
    if (cut) log::warn("{}: more than {} tokens, cut: \"{}\"", what, most, encoded.cut);
    return at::tensor(encoded.ids, at::kLong);
  };
  TextIds ids{.prompt = encode(prompt, "prompt"), .negative = {}, .cut = cut};
  if (negative) ids.negative = encode(*negative, "negative prompt");
  return ids;
}

double load_cost(const Model& model, const MemoryPlan& memory) {
  if (model.has_transformer()) return 0;
  constexpr double kRandomWeights = 0.1;
  return model.setup().model.random_weights ? kRandomWeights : load_seconds(memory.weights);
}

double final_decode_seconds(const Workload& work) {
  // An interactive run shows its source as the VAE reconstructs it.
  const bool shows_source = work.condition_tokens > 0 && work.source_frames > 0;
  return decode_seconds(work, work.decoded_latents + (shows_source ? latents_of_frames(work.source_frames) : 0));
}

Plan make_plan(Model& model, Request request) {
  check_depth(request.generation.reduction, model.checkpoints().star_architecture.layers);
  check_disk_space(request);
  Plan plan{.request = std::move(request)};
  const Request& made = plan.request;
  plan.ids = tokenize(model, made.model_prompt, made.negative, made.text_limit);
  if (made.source) plan.source = read_source(*made.source, made.size);
  plan.work = workload_of(model, made, plan.ids);
  plan.memory = choose_memory_plan(plan.work, model.budget());
  log::info("memory: {}", plan.memory.text_line());
  plan.costs = costs_of(model, plan);
  return plan;
}

}  // namespace faststar
