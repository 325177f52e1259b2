#include "core/lab/train/vae_stage.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "core/lab/evaluate/contact_sheet.h"
#include "core/lab/train/initial_weights.h"
#include "core/media/image.h"

namespace faststar {
namespace {

bool nothing_decayed(const std::string&) { return false; }
bool is_frozen(const std::string& name) { return name == "scale_learnable_parameters"; }

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

VaeObjective make_objective(const TrainSetting& setting, const VaePlan& plan, const VaeStageSettings& stage,
                            TrainedPart trained) {
  return VaeObjective(setting.renderer,
                      {.architecture = plan.architecture,
                       .pyramid = plan.pyramid,
                       .size = {stage.batch, stage.frames, stage.height, stage.width},
                       .near_object = stage.near_object,
                       .loss = plan.loss,
                       .noise = plan.noise,
                       .trained = trained,
                       .dtype = setting.dtype,
                       .seed = setting.own_seed()},
                      setting.device);
}

}  // namespace

ParameterLayout vae_layout(const VaeArchitecture& architecture) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, tensor] : initial_vae(architecture, 0)) shapes[name] = tensor.sizes().vec();
  return {shapes, {.is_decayed = nothing_decayed, .is_frozen = is_frozen}};
}

VaeStage::VaeStage(const TrainSetting& setting, const VaePlan& plan, const VaeStageSettings& stage, TrainedPart trained,
                   const ParameterLayout& layout, NetworkState& state)
    : setting_(setting),
      plan_(plan),
      stage_(stage),
      layout_(layout),
      state_(state),
      objective_(make_objective(setting, plan, stage, trained)),
      batch_(empty_batch(stage.batch, record_width(setting.world), setting.device)),
      context_(make_step_context(layout, state.optimizer.weights, setting.dtype, setting.execution)),
      clean_(context_, [this](const BoundParameters& p) { return objective_(p, batch_, CodesInLoop::clean); }),
      noisy_(context_, [this](const BoundParameters& p) { return objective_(p, batch_, CodesInLoop::noisy); }) {}

void VaeStage::fill_batch(int64_t step) {
  const Workers& workers = setting_.workers;
  const int64_t B = stage_.batch;
  std::vector<ClipRecord> records;
  for (int64_t i = 0; i < B; ++i) {
    int64_t index = (step * workers.count() + workers.rank()) * B + i;
    if (setting_.only_scenes) index %= *setting_.only_scenes;
    records.push_back(setting_.world.draw(training_seed(static_cast<uint32_t>(setting_.seed)), index));
  }
  batch_.records.copy_(records_to_tensor(records));
  const uint64_t seed = setting_.own_seed();
  batch_.crop.copy_(TrainingRandom(seed, Draw::crops, step).uniform_tensor({B, 4}));
  const Tensor noise = TrainingRandom(seed, Draw::corruption, step).uniform_tensor({B, 5});
  batch_.noise.copy_(noise.narrow(1, 0, 4));
  batch_.kept.copy_(noise.select(1, 4));
  batch_.counter.fill_(step * objective_.draws());
}

const Tensor& VaeStage::compute(int64_t step) {
  const c10::NoGradGuard no_grad;
  fill_batch(step);
  const c10::AutoGradMode differentiate(true);
  const Tensor& statistics = step % stage_.noisy_every == 0 ? noisy_() : clean_();
  setting_.workers.average(context_.gradient);
  return statistics;
}

void VaeStage::scale_features() {
  const c10::NoGradGuard no_grad;
  fill_batch(0);
  // All processes have to scale alike: the mean over their clips decides.
  const Tensor k = objective_.feature_scale({layout_, state_.optimizer.weights.detach(), setting_.dtype}, batch_);
  setting_.workers.average(k);
  for (const Tensor& vector : {state_.optimizer.weights.detach(), state_.optimizer.average}) {
    auto tensors = layout_.split(vector);
    tensors.at("proj_down.weight").mul_(k);
    tensors.at("proj_down.bias").mul_(k);
    tensors.at("proj_up.weight").div_(k);
  }
}

StageTask VaeStage::task(const std::string& name) {
  return {.name = name,
          .steps = stage_.steps,
          .learning_rate = stage_.learning_rate,
          .statistics = VaeObjective::statistics(),
          .gradient = [this](int64_t step) -> const Tensor& { return compute(step); },
          .sample = [this, name](int64_t step) { write_sample(name, step); }};
}

void VaeStage::write_sample(const std::string& name, int64_t step) const {
  if (setting_.sample_clips == 0 || setting_.workers.rank() != 0) return;
  const Tensor sheet = reconstruction_sheet(setting_, plan_, layout_, state_.optimizer.average);
  write_image(setting_.samples / fmt::format("{}-{:06}.png", name, step), sheet, "", Existing::replace);
}

Tensor reconstruction_sheet(const TrainSetting& setting, const VaePlan& plan, const ParameterLayout& layout,
                            const Tensor& average) {
  const c10::NoGradGuard no_grad;
  std::vector<ClipRecord> records;
  for (int64_t i = 0; i < setting.sample_clips; ++i) records.push_back(setting.world.draw(held_out_seed(0), i));
  const Tensor pixels = setting
                            .renderer(records_to_tensor(records).to(setting.device),
                                      full_window(setting.sample_clips, plan.sample_frames, setting.device))
                            .pixels;
  const BoundParameters bound(layout, average, setting.dtype);
  const VideoVae vae({bound.source(""), setting.device, setting.dtype}, plan.architecture,
                     VaeParts::encoder_and_decoder, {.dtype = setting.dtype});
  const Tensor features = vae.encode(pixels);
  const ResidualQuantizer quantizer(plan.pyramid, setting.device);
  const Tensor codes = clips_from_frames(quantizer.quantize(frames_from_clips(features)), setting.sample_clips,
                                         features.size(3), features.size(4));
  std::vector<Tensor> decoded;
  vae.decode(codes, [&](const Tensor& frames) { decoded.push_back(frames.to(at::kFloat)); });
  std::vector<Tensor> clips = pixels.unbind(0);
  for (const Tensor& clip : at::cat(decoded, 2).unbind(0)) clips.push_back(clip);
  return contact_sheet(clips, /*frames_shown=*/3, /*columns=*/2);
}

}  // namespace faststar
