#include "core/lab/train/star_stage.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "core/lab/train/initial_weights.h"
#include "core/media/image.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// Matrices but for those that are looked up row by row.
bool is_decayed(const std::string& name) {
  return name.ends_with(".weight") && name.find("norm") == std::string::npos &&
         name.find("shared.") == std::string::npos && name.find("relative_attention_bias") == std::string::npos;
}

bool nothing_frozen(const std::string&) { return false; }

/// In the precision of training.
VideoVae trained_vae(const TrainSetting& setting, const VaePlan& plan, const Tensor& weights) {
  const c10::NoGradGuard no_grad;
  const BoundParameters bound(vae_layout(plan.architecture), weights, setting.dtype);
  return {{bound.source(""), setting.device, setting.dtype},
          plan.architecture,
          VaeParts::encoder_and_decoder,
          {.dtype = setting.dtype}};
}

}  // namespace

ParameterLayout star_layout(const StarArchitecture& star, const T5Architecture& t5) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& weights :
       {with_prefix(initial_star(star, 0), kStarPrefix), with_prefix(initial_t5(t5, 0), kT5Prefix)}) {
    for (const auto& [name, tensor] : weights) shapes[name] = tensor.sizes().vec();
  }
  return {shapes, {.is_decayed = is_decayed, .is_frozen = nothing_frozen}};
}

StarStage::StarStage(const TrainSetting& setting, const StarPlan& plan, const StarStageSettings& stage, const Vae& vae,
                     const CaptionPool& pool, const StarSamples& samples, const ParameterLayout& layout,
                     NetworkState& state)
    : setting_(setting),
      plan_(plan),
      stage_(stage),
      longest_text_(pool.longest_text()),
      samples_(samples),
      state_(state),
      quantizer_(plan.pyramid, setting.device),
      vae_(trained_vae(setting, vae.plan, vae.weights)),
      features_(pool, {stage.capacity, stage.first_clips, stage.refresh_every},
                [this](const std::vector<ClipRecord>& records) {
                  const auto window =
                      full_window(static_cast<int64_t>(records.size()), frames_of_latents(latents()), setting_.device);
                  const auto drawn = setting_.renderer(records_to_tensor(records).to(setting_.device), window);
                  return FeatureStore::Encoded{.features = vae_.encode(drawn.pixels),
                                               .objects = objects_in_features(drawn.coverage)};
                }),
      context_(make_step_context(layout, state.optimizer.weights, setting.dtype, setting.execution)) {
  const Scale& full = plan.pyramid.scales.back();
  const auto numbers = at::TensorOptions(setting.device).dtype(at::kFloat);
  const int64_t clips = 1 + stage.video_clips;
  shared_ = {
      .features = at::zeros({stage.batch, kFeatureChannels, latents(), full.h, full.w}, numbers.dtype(at::kBFloat16)),
      .objects = at::zeros({stage.batch, latents(), full.h, full.w}, numbers),
      .ids = Tensor(),
      .noise = at::zeros({stage.batch, 2 * clips + 1}, numbers),
      .repetition = at::zeros({static_cast<int64_t>(plan.pyramid.scales.size())}, numbers.dtype(at::kLong)),
      .counter = at::zeros({1}, numbers.dtype(at::kLong))};
}

std::vector<PackedClip> StarStage::clips() const {
  return packed_video(stage_.video_clips, plan_.latents_per_clip, stage_.half_clip);
}

StarStage::LengthStep::LengthStep(const StarStage& stage, int64_t text_length)
    : batch(stage.shared_),
      objective(stage.quantizer_, PackedClips(stage.plan_.pyramid, stage.clips(), text_length),
                {.star = stage.plan_.star,
                 .t5 = stage.plan_.t5,
                 .loss = stage.plan_.loss,
                 .noise = stage.plan_.noise,
                 .dtype = stage.setting_.dtype,
                 .seed = stage.setting_.own_seed()},
                stage.setting_.device),
      step(stage.context_, [this](const BoundParameters& parameters) { return objective(parameters, batch); }) {
  batch.ids = at::zeros({stage.stage_.batch, text_length}, batch.repetition.options());
}

void StarStage::fill_batch(int64_t step, const FeatureStore::Choice& choice, StarBatch& batch) {
  const FeatureStore::Encoded clips = features_.clips(choice);
  batch.features.copy_(clips.features);
  batch.objects.copy_(clips.objects);
  batch.ids.copy_(features_.ids(choice));
  batch.noise.copy_(TrainingRandom(setting_.own_seed(), Draw::corruption, step).uniform_tensor(batch.noise.sizes()));
  TrainingRandom random(setting_.own_seed(), Draw::repetitions, step);
  std::vector<int64_t> repetition;
  for (const int count : plan_.pyramid.repetitions) repetition.push_back(random.below(count));
  batch.repetition.copy_(at::tensor(repetition, at::kLong));
  batch.counter.fill_(step * quantizer_.draws(batch.features.size(0) * batch.features.size(2)));
}

StarStage::LengthStep& StarStage::step_for(int64_t text_length) {
  auto& own = steps_[text_length];
  if (!own) own = std::make_unique<LengthStep>(*this, text_length);
  return *own;
}

const Tensor& StarStage::compute(int64_t step) {
  const c10::NoGradGuard no_grad;
  features_.advance_to(step);
  const FeatureStore::Choice choice = features_.choose(stage_.batch / kBlockClips, setting_.own_seed(), step);
  const c10::AutoGradMode differentiate(true);
  // The longest texts need the most memory: recorded first, they leave room for all others.
  if (setting_.execution == Execution::graph && steps_.empty()) step_for(longest_text_).step();
  LengthStep& own = step_for(choice.text_length);
  fill_batch(step, choice, own.batch);
  const Tensor& statistics = own.step();
  setting_.workers.average(context_.gradient);
  return statistics;
}

StageTask StarStage::task(const std::string& name) {
  return {.name = name,
          .steps = stage_.steps,
          .learning_rate = stage_.learning_rate,
          .statistics = StarObjective::statistics(plan_.pyramid, clips()),
          .gradient = [this](int64_t step) -> const Tensor& { return compute(step); },
          .sample = [this, name](int64_t step) { write_sample(name, step); }};
}

void StarStage::write_sample(const std::string& name, int64_t step) const {
  if (setting_.sample_clips == 0 || setting_.workers.rank() != 0) return;
  const c10::NoGradGuard no_grad;
  const BoundParameters average(context_.layout, state_.optimizer.average, setting_.dtype);
  write_image(setting_.samples / fmt::format("{}-{:06}.png", name, step),
              samples_.sheet(average, vae_, stage_.video_clips), samples_.captions(), Existing::replace);
}

}  // namespace faststar
