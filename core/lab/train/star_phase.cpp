#include "core/lab/train/star_phase.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "core/lab/evaluate/contact_sheet.h"
#include "core/lab/train/model_weights.h"
#include "core/media/image.h"
#include "core/model/pyramid/codes.h"
#include "core/pipeline/pipeline.h"

namespace faststar {
namespace {

constexpr int64_t kFramesShown = 5;

/// An image clip and `video_clips` clips of `latents` latent frames.
Schedule schedule_of(const PyramidShape& pyramid, int latents, int video_clips) {
  std::vector<Scale> scales;
  for (int clip = 0; clip <= video_clips; ++clip) {
    for (const Scale& scale : pyramid.scales) scales.push_back({clip == 0 ? 1 : latents, scale.h, scale.w});
  }
  return Schedule(std::move(scales));
}

/// Matrices but for those that are looked up row by row.
bool is_matrix(const std::string& name) {
  return name.ends_with(".weight") && name.find("norm") == std::string::npos &&
         name.find("shared.") == std::string::npos && name.find("relative_attention_bias") == std::string::npos;
}

/// In the precision of training.
VideoVae trained_vae(const RunContext& run, const VaePlan& plan, const Tensor& weights) {
  const c10::NoGradGuard no_grad;
  const BoundParameters bound(vae_layout(plan.architecture), weights, run.dtype);
  return {{bound.source(""), run.device, run.dtype}, plan.architecture, VaeParts::encoder_and_decoder, run.dtype};
}

}  // namespace

StarSamples::StarSamples(const RunContext& run, const TrainPlan& plan, const Tokenizer& tokenizer)
    : run_(run), plan_(plan) {
  const uint64_t seed = held_out_seed(0);
  for (int64_t i = 0; i < run.sample_clips; ++i) {
    const std::string caption = run.world.caption(run.world.draw(seed, i), seed, i);
    captions_ += caption + "\n";
    ids_.push_back(at::tensor(tokenizer.encode(caption, plan.longest_text).ids, at::kLong));
  }
}

Tensor StarSamples::sheet(const BoundParameters& parameters, const VideoVae& vae, int video_clips) const {
  const c10::NoGradGuard no_grad;
  const StarTransformer star({parameters.source(kStarPrefix), run_.device, run_.dtype}, plan_.star.star);
  const T5Encoder t5({parameters.source(kT5Prefix), run_.device, run_.dtype}, plan_.star.t5);
  const Schedule schedule = schedule_of(plan_.star.pyramid, plan_.star.latents_per_clip, video_clips);
  Model model(Networks{.transformer = &star, .vae = &vae, .text_encoder = &t5});
  const Pipeline pipeline(model);
  GenerationSettings settings = plan_.generation;
  std::vector<Tensor> clips;
  for (const Tensor& ids : ids_) {
    settings.seed = static_cast<uint64_t>(clips.size());
    const TextFeatures text = pipeline.encode_text({.prompt = ids, .negative = {}});
    clips.push_back(pipeline.decode(pipeline.generate(schedule, settings, {.text = text})));
  }
  return contact_sheet(clips, kFramesShown, /*columns=*/2);
}

ParameterLayout star_layout(const StarArchitecture& star, const T5Architecture& t5) {
  NamedTensors tensors = with_prefix(initial_star(star, 0), kStarPrefix);
  tensors.merge(with_prefix(initial_t5(t5, 0), kT5Prefix));
  return {tensors, {.is_decayed = is_matrix, .is_frozen = [](const std::string&) { return false; }}};
}

StarPhase::StarPhase(const RunContext& run, const StarPlan& plan, const StarPhaseSettings& phase, const Vae& vae,
                     const CaptionPool& pool, const StarSamples& samples, const ParameterLayout& layout,
                     NetworkState& state)
    : run_(run),
      plan_(plan),
      phase_(phase),
      longest_text_(pool.longest_text()),
      samples_(samples),
      state_(state),
      quantizer_(plan.pyramid, run.device),
      vae_(trained_vae(run, vae.plan, vae.weights)),
      features_(pool, {phase.capacity, phase.first_clips, phase.refresh_every},
                [this](const std::vector<ClipRecord>& records) {
                  const auto window =
                      full_window(static_cast<int64_t>(records.size()), frames_of_latents(latents()), run_.device);
                  const auto drawn = run_.renderer(records_to_tensor(records).to(run_.device), window);
                  return FeatureStore::Encoded{.features = vae_.encode(drawn.pixels),
                                               .objects = objects_in_features(drawn.coverage)};
                }),
      context_(make_step_context(layout, state.optimizer.weights, run.dtype, run.execution)) {
  const Scale& full = plan.pyramid.scales.back();
  const auto numbers = at::TensorOptions(run.device).dtype(at::kFloat);
  const int64_t clips = 1 + phase.video_clips;
  shared_ = {
      .features = at::zeros({phase.batch, kFeatureChannels, latents(), full.h, full.w}, numbers.dtype(at::kBFloat16)),
      .objects = at::zeros({phase.batch, latents(), full.h, full.w}, numbers),
      .ids = Tensor(),
      .noise = at::zeros({phase.batch, 2 * clips + 1}, numbers),
      .repetition = at::zeros({static_cast<int64_t>(plan.pyramid.scales.size())}, numbers.dtype(at::kLong)),
      .counter = at::zeros({1}, numbers.dtype(at::kLong))};
}

std::vector<PackedClip> StarPhase::clips() const {
  return packed_video(phase_.video_clips, plan_.latents_per_clip, phase_.half_clip);
}

StarPhase::LengthStep::LengthStep(const StarPhase& phase, int64_t text_length)
    : batch(phase.shared_),
      objective(phase.quantizer_, PackedClips(phase.plan_.pyramid, phase.clips(), text_length),
                {.plan = phase.plan_, .dtype = phase.run_.dtype, .seed = phase.run_.own_seed()}, phase.run_.device),
      step(phase.context_, [this](const BoundParameters& parameters) { return objective(parameters, batch); }) {
  batch.ids = at::zeros({phase.phase_.batch, text_length}, batch.repetition.options());
}

void StarPhase::fill_batch(int64_t step, const FeatureStore::Choice& choice, StarBatch& batch) {
  const FeatureStore::Encoded clips = features_.clips(choice);
  batch.features.copy_(clips.features);
  batch.objects.copy_(clips.objects);
  batch.ids.copy_(features_.ids(choice));
  batch.noise.copy_(uniform_tensor({run_.own_seed(), Draw::corruption, step}, batch.noise.sizes()));
  CounterRandom random(run_.own_seed(), Draw::repetitions, step);
  std::vector<int64_t> repetition;
  for (const int count : plan_.pyramid.repetitions) repetition.push_back(random.below(count));
  batch.repetition.copy_(at::tensor(repetition, at::kLong));
  batch.counter.fill_(step * quantizer_.draws(batch.features.size(0) * batch.features.size(2)));
}

StarPhase::LengthStep& StarPhase::step_for(int64_t text_length) {
  auto& own = steps_[text_length];
  if (!own) own = std::make_unique<LengthStep>(*this, text_length);
  return *own;
}

const Tensor& StarPhase::compute(int64_t step) {
  const c10::NoGradGuard no_grad;
  features_.advance_to(step);
  const FeatureStore::Choice choice = features_.choose(phase_.batch / kBlockClips, run_.own_seed(), step);
  const c10::AutoGradMode differentiate(true);
  // The longest texts need the most memory: recorded first, they leave room for the others.
  if (run_.execution == Execution::graph && steps_.empty()) step_for(longest_text_).step();
  LengthStep& own = step_for(choice.text_length);
  fill_batch(step, choice, own.batch);
  const Tensor& statistics = own.step();
  run_.workers.average(context_.gradient);
  return statistics;
}

PhaseTask StarPhase::task(const std::string& name) {
  return {.name = name,
          .steps = phase_.steps,
          .learning_rate = phase_.learning_rate,
          .statistics = StarObjective::statistics(plan_.pyramid, clips()),
          .gradient = [this](int64_t step) -> const Tensor& { return compute(step); },
          .sample = [this, name](int64_t step) { write_sample(name, step); }};
}

void StarPhase::write_sample(const std::string& name, int64_t step) const {
  if (run_.sample_clips == 0 || run_.workers.rank() != 0) return;
  const c10::NoGradGuard no_grad;
  const BoundParameters average(context_.layout, state_.optimizer.average, run_.dtype);
  write_image(run_.samples / fmt::format("{}-{:06}.png", name, step), samples_.sheet(average, vae_, phase_.video_clips),
              samples_.captions(), Existing::replace);
}

}  // namespace faststar
