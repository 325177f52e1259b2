#include "core/lab/study/run_study.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/config/value.h"
#include "core/lab/study/frame_strip.h"
#include "core/model/vae/architecture.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

/// Added to the seed for the variant "other seed".
constexpr uint64_t kOtherSeed = uint64_t{1} << 31;

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Of the frames from number `first` on. Frame 0 belongs to the image clip, which is never reduced.
ClipDistance distance(const Tensor& frames, const Tensor& from, int64_t first = 1) {
  const int64_t count = frames.size(0) - first;
  const auto fidelity = measure_fidelity(frames.narrow(0, first, count), from.narrow(0, first, count), nullptr);
  const VideoFidelity summary = summarize_fidelity(fidelity);
  ClipDistance distance{.mse = 0, .psnr_mean = summary.psnr.mean, .ssim = summary.ssim_mean};
  for (const FrameFidelity& frame : fidelity) distance.mse += frame.mse / static_cast<double>(count);
  return distance;
}

/// What decides how numbers are rounded: variants of one text flip the same bits. Empty for that of the dense run.
std::string arithmetic_of(const StudyVariant& variant) {
  if (variant.kind == VariantKind::noise_floor) return kNoiseFloorVariant;
  if (!variant.precision) return "";
  return fmt::format("{} {}", choice_name(*variant.precision),
                     variant.fp8_scales ? value_text(*variant.fp8_scales) : "");
}

}  // namespace

PromptStudy::PromptStudy(const StudyModel& model, const StudyPrompt& prompt) : model_(model), prompt_(prompt) {
  const auto start = std::chrono::steady_clock::now();
  text_ = model.evaluated.encode_text(prompt.text);
  synchronize(model.evaluated.device());
  text_ms_ = milliseconds_since(start);
  dense_ = dense_clip({}, Spectrum::measure);
  if (prompt.record && model.world != nullptr) render_truth();
}

void PromptStudy::render_truth() {
  const Tensor pixels = model_.world->render(*prompt_.record, 0, dense_.frames.size(0)).pixels;
  truth_ = to_frames(pixels);
  given_ = dense_clip(bits_of(model_.evaluated, model_.schedule, pixels.narrow(2, 0, 1)), Spectrum::leave);
}

GenerationSettings PromptStudy::settings_of(const StudyVariant& variant) const {
  GenerationSettings settings = model_.evaluated.generation;
  settings.seed = prompt_.seed + (variant.kind == VariantKind::other_seed ? kOtherSeed : 0);
  settings.reduction = variant.reduction;
  settings.guidance.reuse = variant.reuse;
  settings.repetitions = settings.repetitions.with_last(variant.last_repetitions);
  if (variant.kind == VariantKind::noise_floor) settings.attention = AttentionBackend::aten;
  if (variant.precision) {
    settings.linears = *variant.precision == Precision::fp8 ? LinearPrecision::both : LinearPrecision::backbone;
    settings.fp8_scales = variant.fp8_scales;
  }
  return settings;
}

PromptStudy::Clip PromptStudy::make(const Pipeline& pipeline, const GenerationSettings& settings,
                                    std::vector<Tensor> given, Spectrum spectrum) const {
  Clip clip;
  clip.run =
      measure_run(pipeline, model_.schedule, settings, {.text = text_, .given_bits = std::move(given)}, spectrum);
  const auto start = std::chrono::steady_clock::now();
  clip.decoded = pipeline.decode(clip.run.codes);
  clip.frames = to_frames(clip.decoded.unsqueeze(0));
  synchronize(pipeline.device());
  clip.decode_ms = milliseconds_since(start);
  return clip;
}

PromptStudy::Clip PromptStudy::dense_clip(std::vector<Tensor> given, Spectrum spectrum) const {
  return make(model_.evaluated.pipeline, settings_of({.kind = VariantKind::dense}), std::move(given), spectrum);
}

PromptStudy::Clip PromptStudy::variant_clip(const StudyVariant& variant, const Clip& dense, size_t given) const {
  const GenerationSettings settings = settings_of(variant);
  const bool may_share = variant.kind == VariantKind::reduced && !variant.precision && variant.last_repetitions.empty();
  const size_t shared = std::max(given, may_share ? shared_steps(settings, model_.schedule) : 0);
  const auto& bits = dense.run.bits;
  Clip clip = make(pipeline_of(variant), settings, {bits.begin(), bits.begin() + static_cast<int64_t>(shared)});
  std::copy_n(dense.run.step_ms.begin(), shared, clip.run.step_ms.begin());
  return clip;
}

Pipeline PromptStudy::pipeline_of(const StudyVariant& variant) const {
  Pipeline pipeline = variant.precision ? *model_.others.at(*variant.precision) : model_.evaluated.pipeline;
  // On a CPU LibTorch's own products take twice as long: there the floor is the same run again, which shows by its time
  // whether the machine was busy.
  const bool on_gpu = pipeline.device().is_cuda();
  if (variant.kind == VariantKind::noise_floor && on_gpu) pipeline.set_kernels(Kernels::reference);
  return pipeline;
}

const std::vector<double>& PromptStudy::flipped_of(const StudyVariant& variant) {
  const std::string arithmetic = arithmetic_of(variant);
  const auto [counted, is_new] = flipped_.try_emplace(arithmetic);
  if (is_new && !arithmetic.empty()) counted->second = count_flipped(variant);
  return counted->second;
}

std::vector<double> PromptStudy::count_flipped(const StudyVariant& variant) const {
  StudyVariant arithmetic = variant;
  arithmetic.reduction = {};
  arithmetic.reuse = {};
  arithmetic.last_repetitions.clear();
  const std::vector<double> by_step =
      flipped_bits(pipeline_of(variant), model_.schedule, settings_of(arithmetic), {.text = text_}, dense_.run.bits);
  const Repetitions& repetitions = model_.evaluated.generation.repetitions;
  std::vector<double> shares = by_scale(by_step, repetitions);
  const std::vector<double> passes = by_scale(std::vector<double>(by_step.size(), 1), repetitions);
  for (size_t scale = 0; scale < shares.size(); ++scale) shares[scale] /= passes[scale];
  return shares;
}

StudyRecord PromptStudy::measure(const StudyVariant& variant) {
  const bool is_dense = variant.kind == VariantKind::dense;
  const Clip made = is_dense ? Clip{} : variant_clip(variant, dense_);
  const Clip& clip = is_dense ? dense_ : made;
  StudyRecord record{.setup = model_.setup,
                     .prompt = prompt_.index,
                     .text = prompt_.text,
                     .seed = prompt_.seed,
                     .variant = variant.name,
                     .settings = variant.settings,
                     .tokens = dense_.run.tokens,
                     .kept = clip.run.kept,
                     .guidance = clip.run.guidance,
                     .text_ms = text_ms_,
                     .decode_ms = clip.decode_ms,
                     .scale_ms = by_scale(clip.run.step_ms, settings_of(variant).repetitions),
                     .part_ms = time_parts_of(variant),
                     .scales = {},
                     .high_frequency = clip.run.high_frequency,
                     .flipped = flipped_of(variant),
                     .passes = clip.run.passes,
                     .from_dense = {},
                     .seen = {},
                     .given_dense = {},
                     .given_truth = {},
                     .continued = measure_continued(variant),
                     .frames = prompt_.index < kPromptsShown && can_keep_frames() ? frame_strip(clip.frames) : ""};
  // Of the dense run's passes, of which a variant may lack some.
  record.guidance.work *= static_cast<double>(clip.run.tokens) / static_cast<double>(dense_.run.tokens);
  if (is_dense) {
    record.scales = model_.schedule.scales();
  } else {
    record.from_dense = distance(clip.frames, dense_.frames);
  }
  if (prompt_.record && model_.checker != nullptr) record.seen = check(clip.decoded);
  if (given_) measure_given(variant, record);
  return record;
}

void PromptStudy::measure_given(const StudyVariant& variant, StudyRecord& record) const {
  if (variant.kind == VariantKind::dense) {
    record.given_truth = distance(given_->frames, truth_);
  } else if (variant.kind == VariantKind::reduced) {
    const Clip clip = variant_clip(variant, *given_, steps_before(model_.schedule.first_video_clip()));
    record.given_dense = distance(clip.frames, given_->frames);
    record.given_truth = distance(clip.frames, truth_);
  }
}

std::optional<ClipDistance> PromptStudy::measure_continued(const StudyVariant& variant) const {
  const int second = model_.schedule.first_video_clip() + 1;
  const bool compared = variant.kind == VariantKind::reduced || variant.kind == VariantKind::noise_floor;
  const bool has_dense_passes = variant.last_repetitions.empty();
  if (!compared || !has_dense_passes || second >= model_.schedule.clips()) return std::nullopt;
  const Clip clip = variant_clip(variant, dense_, steps_before(second));
  return distance(clip.frames, dense_.frames, frames_of_latents(model_.schedule.frames_of(second).begin));
}

size_t PromptStudy::steps_before(int clip) const {
  const auto steps = model_.schedule.steps(model_.evaluated.generation.repetitions);
  return static_cast<size_t>(std::ranges::count_if(steps, [&](const Step& step) { return step.clip < clip; }));
}

SeenAttributes PromptStudy::check(const Tensor& decoded) const {
  const AttributeScore score = score_attributes((*model_.checker)(decoded), *prompt_.record);
  return {.background = score.background,
          .objects = score.count && score.colour && score.shape,
          .motion = score.motion && score.camera,
          .all = score.all()};
}

std::vector<PartTimes> PromptStudy::time_parts_of(const StudyVariant& variant) const {
  const bool compared = variant.kind == VariantKind::dense || variant.kind == VariantKind::reduced;
  if (!compared || prompt_.index >= kPromptsTimedByPart) return {};
  const GenerationSettings settings = settings_of(variant);
  return by_scale(time_parts(pipeline_of(variant), model_.schedule, settings, {.text = text_}), settings.repetitions);
}

template <typename Ms>
std::vector<Ms> PromptStudy::by_scale(const std::vector<Ms>& step_ms, const Repetitions& repetitions) const {
  std::vector<Ms> sums(model_.schedule.scales().size(), Ms{});
  for (const Step& step : model_.schedule.steps(repetitions)) {
    sums[static_cast<size_t>(step.scale)] += step_ms[static_cast<size_t>(step.index)];
  }
  return sums;
}

void run_study(const StudyModel& model, const StudyJob& job, Progress& progress) {
  const c10::InferenceMode inference;
  std::vector<StudyVariant> variants = control_variants(job.controls);
  variants.insert(variants.end(), job.variants.begin(), job.variants.end());
  ResultsFile results(job.folder, job.shard, model.setup, job.prompts, variants);
  const auto is_missing = [&](const StudyPrompt& prompt, const StudyVariant& variant) {
    return prompt.index % job.shard.count == job.shard.index && !results.has(prompt.index, variant.name);
  };
  const auto stop_if_asked = [&] {
    if (progress.stop_requested()) fail(ErrorKind::interrupted, "stopped; run the same command again to resume");
  };
  int64_t planned = 0;
  for (const StudyPrompt& prompt : job.prompts) {
    planned += std::ranges::count_if(variants, [&](const auto& variant) { return is_missing(prompt, variant); });
  }
  progress.plan(Stage::tokens, static_cast<double>(planned));
  bool cold = model.evaluated.device().is_cuda();  // a GPU loads kernels and finds its memory in the first run
  if (planned > 0) append_run(job.folder, job.shard, job.run);
  const std::string run = run_id(job.run);
  for (const StudyPrompt& prompt : job.prompts) {
    std::optional<PromptStudy> study;
    for (const StudyVariant& variant : variants) {
      if (!is_missing(prompt, variant)) continue;
      stop_if_asked();
      if (std::exchange(cold, false)) const PromptStudy warm_up(model, prompt);
      if (!study) study.emplace(model, prompt);
      StudyRecord record = study->measure(variant);
      record.run = run;
      results.append(record);
      progress.advance(Stage::tokens, 1,
                       fmt::format("prompt {}/{}, {}", prompt.index + 1, job.prompts.size(), variant.name));
    }
  }
}

}  // namespace faststar
