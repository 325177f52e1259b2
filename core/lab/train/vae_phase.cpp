#include "core/lab/train/vae_phase.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "core/lab/evaluate/contact_sheet.h"
#include "core/lab/train/model_weights.h"
#include "core/media/image.h"

namespace faststar {
namespace {

VaeBatch empty_batch(int64_t clips, int64_t record_width, at::Device device) {
  const auto numbers = at::TensorOptions(device).dtype(at::kFloat);
  return {.records = at::zeros({clips, record_width}, numbers),
          .crop = at::zeros({clips, 4}, numbers),
          .noise = at::zeros({clips, 4}, numbers),
          .kept = at::zeros({clips}, numbers),
          .counter = at::zeros({1}, numbers.dtype(at::kLong))};
}

int64_t record_width(const World& world) {
  const std::vector<ClipRecord> one = {world.draw(training_seed(0), 0)};
  return records_to_tensor(one).size(1);
}

VaeObjective make_objective(const RunContext& run, const VaePlan& plan, const VaePhaseSettings& phase,
                            TrainedPart trained) {
  return VaeObjective(run.renderer,
                      {.plan = plan,
                       .size = {phase.batch, phase.frames, phase.height, phase.width},
                       .near_object = phase.near_object,
                       .trained = trained,
                       .dtype = run.dtype,
                       .seed = run.own_seed()},
                      run.device);
}

}  // namespace

ParameterLayout vae_layout(const VaeArchitecture& architecture) {
  return {initial_vae(architecture, 0),
          {.is_decayed = [](const std::string&) { return false; },
           .is_frozen = [](const std::string& name) { return name == "scale_learnable_parameters"; }}};
}

VaePhase::VaePhase(const RunContext& run, const VaePlan& plan, const VaePhaseSettings& phase, TrainedPart trained,
                   const ParameterLayout& layout, NetworkState& state)
    : run_(run),
      plan_(plan),
      phase_(phase),
      layout_(layout),
      state_(state),
      objective_(make_objective(run, plan, phase, trained)),
      batch_(empty_batch(phase.batch, record_width(run.world), run.device)),
      context_(make_step_context(layout, state.optimizer.weights, run.dtype, run.execution)),
      clean_(context_, [this](const BoundParameters& p) { return objective_(p, batch_, CodesInLoop::clean); }),
      noisy_(context_, [this](const BoundParameters& p) { return objective_(p, batch_, CodesInLoop::noisy); }) {}

void VaePhase::fill_batch(int64_t step) {
  const ProcessGroup& workers = run_.workers;
  const int64_t B = phase_.batch;
  std::vector<ClipRecord> records;
  for (int64_t i = 0; i < B; ++i) {
    int64_t index = (step * workers.size() + workers.rank()) * B + i;
    if (run_.only_scenes) index %= *run_.only_scenes;
    records.push_back(run_.world.draw(training_seed(static_cast<uint32_t>(run_.seed)), index));
  }
  batch_.records.copy_(records_to_tensor(records));
  const uint64_t seed = run_.own_seed();
  batch_.crop.copy_(uniform_tensor({seed, Draw::crops, step}, {B, 4}));
  const Tensor noise = uniform_tensor({seed, Draw::corruption, step}, {B, 5});
  batch_.noise.copy_(noise.narrow(1, 0, 4));
  batch_.kept.copy_(noise.select(1, 4));
  batch_.counter.fill_(step * objective_.draws());
}

const Tensor& VaePhase::compute(int64_t step) {
  const c10::NoGradGuard no_grad;
  fill_batch(step);
  const c10::AutoGradMode differentiate(true);
  const Tensor& statistics = step % phase_.noisy_every == 0 ? noisy_() : clean_();
  run_.workers.average(context_.gradient);
  return statistics;
}

void VaePhase::scale_features() {
  const c10::NoGradGuard no_grad;
  fill_batch(0);
  // All processes have to scale alike: the mean over their clips decides.
  const Tensor k = objective_.feature_scale({layout_, state_.optimizer.weights.detach(), run_.dtype}, batch_);
  run_.workers.average(k);
  for (const Tensor& vector : {state_.optimizer.weights.detach(), state_.optimizer.average}) {
    auto tensors = layout_.split(vector);
    tensors.at("proj_down.weight").mul_(k);
    tensors.at("proj_down.bias").mul_(k);
    tensors.at("proj_up.weight").div_(k);
  }
}

PhaseTask VaePhase::task(const std::string& name) {
  return {.name = name,
          .steps = phase_.steps,
          .learning_rate = phase_.learning_rate,
          .statistics = VaeObjective::statistics(),
          .gradient = [this](int64_t step) -> const Tensor& { return compute(step); },
          .sample = [this, name](int64_t step) { write_sample(name, step); }};
}

void VaePhase::write_sample(const std::string& name, int64_t step) const {
  if (run_.sample_clips == 0 || run_.workers.rank() != 0) return;
  const Tensor sheet = reconstruction_sheet(run_, plan_, layout_, state_.optimizer.average);
  write_image(run_.samples / fmt::format("{}-{:06}.png", name, step), sheet, "", Existing::replace);
}

Tensor reconstruction_sheet(const RunContext& run, const VaePlan& plan, const ParameterLayout& layout,
                            const Tensor& average) {
  const c10::NoGradGuard no_grad;
  std::vector<ClipRecord> records;
  for (int64_t i = 0; i < run.sample_clips; ++i) records.push_back(run.world.draw(held_out_seed(0), i));
  const Tensor pixels = run.renderer(records_to_tensor(records).to(run.device),
                                     full_window(run.sample_clips, plan.sample_frames, run.device))
                            .pixels;
  const BoundParameters bound(layout, average, run.dtype);
  const VideoVae vae({bound.source(""), run.device, run.dtype}, plan.architecture, VaeParts::encoder_and_decoder,
                     run.dtype);
  const Tensor features = vae.encode(pixels);
  const ResidualQuantizer quantizer(plan.pyramid, run.device);
  const Tensor codes = clips_from_frames(quantizer.quantize(frames_from_clips(features)), run.sample_clips,
                                         features.size(3), features.size(4));
  std::vector<Tensor> decoded;
  vae.decode(codes, [&](const Tensor& frames) { decoded.push_back(frames.to(at::kFloat)); });
  std::vector<Tensor> clips = pixels.unbind(0);
  for (const Tensor& clip : at::cat(decoded, 2).unbind(0)) clips.push_back(clip);
  return contact_sheet(clips, /*frames_shown=*/3, /*columns=*/2);
}

}  // namespace faststar
