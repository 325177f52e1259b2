#include "cli/plan_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <random>

#include "cli/output_files.h"
#include "cli/plan_source.h"
#include "cli/prompt_source.h"
#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/installation.h"
#include "core/config/json.h"
#include "core/media/image.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/gate.h"
#include "core/model/text/prompt.h"
#include "core/model/vae/architecture.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/run_plan.h"

namespace faststar {
namespace {

constexpr int64_t kSeeds = int64_t{1} << 32;

JobSize choose_size(Task task, const ResolvedSettings& resolved) {
  const GenerateConfig& generate = resolved.settings.config.generate;
  const bool video = task != Task::text_to_image;
  (video ? check_video_size : check_image_size)(resolved.model.preset, resolved.settings);
  JobSize size;
  size.aspect_key = nearest_aspect_key(static_cast<double>(generate.aspect.height) / generate.aspect.width);
  size.pn = pn_of(generate.resolution);
  size.latent_frames = video ? latent_frames_of(generate.duration) : 1;
  size.latents_per_clip = resolved.model.preset.latents_per_clip;
  size.frames = frames_of_latents(size.latent_frames);
  const Scale full = image_scales(size.aspect_key, size.pn).back();
  size.height = pixels_of_features(full.h);
  size.width = pixels_of_features(full.w);
  return size;
}

/// Throws Error(usage) when the repetition lists do not fit the size's scales, or reduction does not fit the schedule.
void check_schedule(const JobSize& size, const ScheduleConfig& config, const ReductionSettings& reduction) {
  const Schedule schedule = make_schedule(size.aspect_key, size.pn, size.latent_frames, size.latents_per_clip);
  const Repetitions repetitions{config.image_repetitions, config.video_repetitions};
  schedule.steps(repetitions);
  const ReductionGate checked(reduction, schedule, repetitions);
  if (config.semantic_scales <= schedule.scales_per_clip()) return;
  fail(ErrorKind::usage, fmt::format("semantic_scales: expected at most {} (the scales of {}), got {}",
                                     schedule.scales_per_clip(), size.pn, config.semantic_scales));
}

/// Flags that say how to reduce do nothing while no method is on.
void check_reduction_flags(const Settings& settings) {
  if (settings.config.reduction.method != ReductionMethod::none) return;
  if (settings.origin("no_reduce").source != Source::standard) return;
  for (const char* detail : {"ratios", "p_norm", "reduce_preset"}) {
    const Origin& origin = settings.origin(detail);
    if (origin.source != Source::flag) continue;
    fail(ErrorKind::usage, fmt::format("{}: no method reduces tokens", origin.text), "--reduce faststar");
  }
}

/// H.264 options say nothing about a lossless file.
void check_encoding(const Settings& settings) {
  if (!settings.config.output.lossless) return;
  for (const char* h264 : {"crf", "preset"}) {
    const Origin& origin = settings.origin(h264);
    if (origin.source < Source::environment) continue;
    fail(ErrorKind::usage,
         fmt::format("{} and {} contradict each other: lossless video is ffv1, not H.264", origin.text,
                     settings.origin("lossless").text),
         fmt::format("leave out {}", origin.text));
  }
}

/// The texts around every prompt.
void check_texts(Settings& settings, GenerateJob& job) {
  PromptConfig& prompt = settings.config.prompt;
  if (!prompt.prompt_suffix.empty()) {
    checked_prompt(prompt.prompt_suffix, settings.origin("prompt_suffix").text, ErrorKind::usage);
  }
  if (prompt.negative && prompt.negative->empty()) prompt.negative.reset();  // as the official code reads ''
  if (prompt.negative && settings.config.guidance.guidance == 1) {
    fail(ErrorKind::usage,
         fmt::format("{}: a negative prompt needs guidance, {} is 1", settings.origin("negative").text,
                     settings.origin("guidance").text),
         "a --guidance above 1, or no --negative");
  }
  if (prompt.negative)
    job.negative = checked_prompt(*prompt.negative, settings.origin("negative").text, ErrorKind::usage);
  job.text_limit = prompt.text_limit;
}

void copy_settings(const Config& config, GenerateJob& job) {
  job.first_frame = config.generate.first_frame;
  job.guidance = config.guidance;
  job.sampling = config.sampling.sampling;
  job.tau_image = config.sampling.tau_image;
  job.tau_video = config.sampling.tau_video;
  job.schedule = config.schedule;
  job.reduction = config.reduction;
  job.encoding = config.output;
  job.existing = config.output.overwrite ? Existing::replace : Existing::refuse;
}

VideoFormat format_of(const JobSize& size) {
  return {.width = static_cast<int>(size.width), .height = static_cast<int>(size.height)};
}

void make_absolute(std::optional<std::string>& path) {
  if (path && !path->empty()) path = std::filesystem::absolute(*path).string();
}

}  // namespace

EngineSetup plan_engine(const ResolvedSettings& resolved) {
  const Settings& settings = resolved.settings;
  const RuntimeConfig& runtime = settings.config.runtime;
  const at::Device device = pick_device(runtime.device.value_or(""));
  const auto refuse_on_cpu = [&](const char* name, const std::string& value, const char* hint) {
    if (device.is_cuda()) return;
    fail(ErrorKind::usage,
         fmt::format("{} {}: it needs a GPU, and this runs on the CPU", settings.origin(name).text, value), hint);
  };
  if (runtime.attention == AttentionBackend::cudnn) refuse_on_cpu("attention", "cudnn", "--attention aten");
  if (device.is_cpu() && runtime.precision == Precision::bf16 && !cpu_has_bfloat16()) {
    log::warn("{} bf16: this CPU computes it by way of fp32, which alone is faster", settings.origin("precision").text);
  }
  if (runtime.vram) refuse_on_cpu("vram", fmt::format("{:g}", *runtime.vram), "leave it out");
  return {.model = resolved.model,
          .device = device.str(),
          .precision = runtime.precision.value_or(device.is_cuda() ? Precision::bf16 : Precision::fp32),
          .attention = runtime.attention,
          .kernels = runtime.kernels,
          .vram = runtime.vram};
}

int64_t random_seed(int count) {
  std::random_device random;
  return std::uniform_int_distribution<int64_t>(0, kSeeds - count)(random);
}

std::vector<int64_t> choose_seeds(Settings& settings) {
  const int count = settings.config.generate.count;
  auto& seed = settings.config.sampling.seed;
  if (!seed) seed = random_seed(count);
  if (*seed + count > kSeeds) {
    fail(ErrorKind::usage, fmt::format("{} {} and {} {}: the last seed would pass {}", settings.origin("seed").text,
                                       *seed, settings.origin("count").text, count, kSeeds - 1));
  }
  std::vector<int64_t> seeds;
  for (int i = 0; i < count; ++i) seeds.push_back(*seed + i);
  return seeds;
}

std::string output_settings(const GenerateJob& job, Config config, int64_t seed) {
  config.sampling.seed = seed;
  config.generate.count = 1;
  nlohmann::ordered_json json = config_json(config);
  const ModelFolder& model = job.setup.model;
  json["model"]["name"] = model.preset.name;
  json["model"]["random_weights"] = model.random_weights;
  const std::string preset = model.preset.file.stem().string();
  if (!model.embedded && preset_file(preset) == model.preset.file) json["model"]["preset"] = preset;
  json["prompt"]["model_prompt"] = job.model_prompt;
  json["runtime"]["device"] = job.setup.device;
  json["runtime"]["precision"] = choice_name(job.setup.precision);
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void check_format(const GenerateJob& job, const std::filesystem::path& file) {
  if (job.task == Task::text_to_image) return check_image_output(file);
  check_video_output(file, format_of(job.size), encoding_of(job.encoding));
}

GenerateJob plan_shared(Task task, ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  // Saved settings work from any folder.
  make_absolute(settings.config.model.model);
  make_absolute(settings.config.generate.image);
  make_absolute(settings.config.generate.video);
  if (task == Task::video_to_video) choose_continued_duration(resolved);
  GenerateJob job;
  job.task = task;
  job.source = plan_source(task, resolved);
  check_texts(settings, job);
  job.size = choose_size(task, resolved);
  check_schedule(job.size, settings.config.schedule, settings.config.reduction);
  check_encoding(settings);
  check_reduction_flags(settings);
  job.setup = plan_engine(resolved);
  copy_settings(settings.config, job);
  return job;
}

void set_prompt(GenerateJob& job, const std::string& prompt, const Config& config) {
  job.prompt = prompt;
  job.model_prompt =
      job.task == Task::text_to_image ? prompt : video_prompt(prompt, config.prompt, config.generate.duration);
}

GenerateJob plan_job(Task task, ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  const std::string prompt = read_prompt(settings);
  settings.config.prompt.prompt = prompt;  // what --save-config keeps, whatever file it came from
  settings.config.prompt.prompt_file.reset();
  GenerateJob job = plan_shared(task, resolved);
  set_prompt(job, prompt, settings.config);
  job.outputs = choose_outputs(task, settings.config.output, prompt, choose_seeds(settings));
  spare_inputs(files_of(job.outputs), {settings.config.generate.image, settings.config.generate.video});
  for (JobOutput& output : job.outputs) {
    check_format(job, output.file);
    if (output.preview) check_video_output(*output.preview, format_of(job.size), {});
    output.settings_json = output_settings(job, settings.config, output.seed);
  }
  job.sound = plan_sound(job, job.outputs.front().file);
  return job;
}

std::string describe_model(const ModelFolder& model) {
  if (model.embedded) {
    return fmt::format("{} (embedded{}); --model DIR or FASTSTAR_MODEL uses another", model.preset.name,
                       model.random_weights ? ", random weights" : "");
  }
  const std::string where = model.folder.empty() ? model.preset.file.string() : model.folder.string();
  return fmt::format("{} ({}{})", model.preset.name, where, model.random_weights ? ", random weights" : "");
}

/// "faststar, 5 of 85 passes, 170277 of 244197 tokens", of the clips that are made; of each clip that goes on.
std::string describe_reduction(const GenerateJob& job) {
  const Schedule schedule = schedule_of(job);
  const Repetitions repetitions{job.schedule.image_repetitions, job.schedule.video_repetitions};
  const ReductionGate gate(job.reduction, schedule, repetitions);
  int reduced = 0;
  int64_t tokens = 0;
  int64_t kept = 0;
  std::vector<Step> steps = schedule.steps(repetitions);
  const bool holds_source = job.source && schedule.first_clip() == FirstClip::image;
  const int64_t given = holds_source ? job.source->latents : 0;
  std::erase_if(steps, [&](const Step& step) { return schedule.frames_of(step.clip).begin < given; });
  for (const Step& step : steps) {
    reduced += gate.reduces(step) ? 1 : 0;
    tokens += schedule.scales()[step.scale].tokens();
    kept += gate.kept_tokens(step);
  }
  return fmt::format("{}, {} of {} passes, {} of {} tokens", choice_name(job.reduction.method), reduced, steps.size(),
                     kept, tokens);
}

std::vector<std::string> describe_job(const GenerateJob& job) {
  std::vector<std::string> lines = {fmt::format("model: {}", describe_model(job.setup.model)),
                                    fmt::format("prompt used: {}", job.model_prompt),
                                    fmt::format("size: {}x{}, {} frame{}", job.size.width, job.size.height,
                                                frames_shown(job), frames_shown(job) > 1 ? "s" : ""),
                                    fmt::format("device: {}, {}", job.setup.device, choice_name(job.setup.precision))};
  if (job.source) lines.push_back(fmt::format("source: {}", job.source->file.string()));
  if (job.reduction.method != ReductionMethod::none) {
    lines.push_back(fmt::format("reduction: {}", describe_reduction(job)));
  }
  for (const JobOutput& output : job.outputs) {
    lines.push_back(fmt::format("seed {}: {}", output.seed, output.file.string()));
  }
  return lines;
}

}  // namespace faststar
