#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/model/reduce/gate.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/run.h"
#include "core/pipeline/source.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

Workload workload_of(const Pipeline& pipeline, const Request& request, const TextIds& ids) {
  const Model& model = pipeline.model();
  const Checkpoints& checkpoints = model.checkpoints();
  Workload work{.star = checkpoints.star_architecture,
                .t5 = checkpoints.t5_architecture,
                .vae = checkpoints.vae_architecture,
                .schedule = request.codes ? Schedule({request.codes->scale()}) : request.schedule,
                .repetitions = {{1}, {1}},
                .processes = pipeline.processes(),
                .dtype = model.dtype(),
                .device = model.device(),
                .attention_precision = request.generation.attention.precision,
                .attention = main_backend(request.generation.attention, model.device(), model.dtype()),
                .measured = model.rates_file().find(rates_key(model, request))};
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

/// Of all that one output decodes at the end.
double final_decode_seconds(const Workload& work) {
  // An interactive run shows its source as the VAE reconstructs it.
  const bool shows_source = work.condition_tokens > 0 && work.source_frames > 0;
  return decode_seconds(work, work.decoded_latents + (shows_source ? latents_of_frames(work.source_frames) : 0));
}

std::map<Stage, double> costs_of(const Model& model, const Plan& plan) {
  const auto outputs = static_cast<double>(plan.request.outputs.size());
  const bool loads_again = plan.memory.mode.residency == Residency::one_part;
  const double load = load_cost(model, plan.work, plan.memory);
  std::map<Stage, double> costs = {{Stage::load, load * (loads_again ? outputs : 1)},
                                   {Stage::text, text_seconds(plan.work)},
                                   {Stage::tokens, outputs * token_seconds(plan.work)},
                                   {Stage::decode, outputs * final_decode_seconds(plan.work)},
                                   {Stage::encode, outputs * file_seconds(plan.work)}};
  if (plan.source) costs[Stage::source] = encode_seconds(plan.work);
  if (plan.work.preview) costs[Stage::preview] = outputs * preview_seconds(plan.work);
  return costs;
}

/// How long the run takes. The rates of the first video also count what a process meets once.
std::optional<TimeEstimate> estimate_time(const Model& model, const Plan& plan) {
  const bool generates = !plan.request.codes;
  const NeededRates needed{.generates = generates,
                           .loads = generates && !model.has_transformer() && !model.setup().model.random_weights};
  TimeEstimate estimate{.measured = is_measured(plan.work, needed), .processes = plan.work.processes};
  if (!estimate.measured && !can_guess_time(model.device())) return std::nullopt;
  for (const auto& [stage, cost] : plan.costs) estimate.seconds += cost;
  if (!generates || plan.work.warm) return estimate;
  Workload warm = plan.work;
  warm.warm = true;
  estimate.first = load_cost(model, plan.work, plan.memory) + token_seconds(plan.work) - token_seconds(warm);
  // token_seconds() of every output has it.
  estimate.seconds -=
      static_cast<double>(plan.request.outputs.size() - 1) * (token_seconds(plan.work) - token_seconds(warm));
  return estimate;
}

void set_costs(const Model& model, Plan& plan, std::map<Stage, double> costs) {
  plan.costs = std::move(costs);
  plan.time = estimate_time(model, plan);
}

/// What --vram has to allow: tensors, and on a GPU what CUDA takes beside them.
std::string memory_text(const Plan& plan) {
  const double reserve = static_cast<double>(reserve_bytes(plan.work)) * 1e-9;
  return plan.memory.text_line() + (reserve > 0 ? fmt::format(", plus {:.1f} GB for CUDA", reserve) : "") +
         (plan.work.processes > 1 ? ", on each device" : "");
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
  plan.work = workload_of(pipeline, request, plan.ids);
  plan.memory = choose_memory_plan(plan.work, model.budget());
  log::info("memory: {}", memory_text(plan));
  set_costs(model, plan, costs_of(model, plan));
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
  plan.work = workload_of(pipeline, request, {});
  plan.memory = choose_decode_plan(plan.work, model.budget());
  log::info("size: {}x{}, {} frames; memory: {:.1f} GB", size.width, size.height, size.frames,
            static_cast<double>(plan.memory.decode) * 1e-9);
  set_costs(model, plan, {{Stage::decode, final_decode_seconds(plan.work)}, {Stage::encode, file_seconds(plan.work)}});
}

}  // namespace

RatesKey rates_key(const Model& model, const Request& request) {
  const StarArchitecture& star = model.checkpoints().star_architecture;
  const at::Device device = model.device();
  const std::string cpu = fmt::format("{}, {} threads", cpu_name(), at::get_num_threads());
  return {.device = device.is_cpu() ? cpu : device_name(device),
          .network = fmt::format("{}x{}", star.layers, star.hidden_size),
          .precision = std::string(choice_name(request.setup.precision)),
          .attention = std::string(choice_name(main_backend(request.generation.attention, device, model.dtype()))),
          .kernels = std::string(choice_name(request.setup.kernels)),
          .program = FASTSTAR_VERSION};
}

double load_cost(const Model& model, const Workload& work, const MemoryPlan& memory) {
  if (model.has_transformer()) return 0;
  constexpr double kRandomWeights = 0.1;
  return model.setup().model.random_weights ? kRandomWeights : load_seconds(work, memory.weights);
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
