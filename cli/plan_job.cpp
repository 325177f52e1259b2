#include "cli/plan_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <random>

#include "cli/output_files.h"
#include "cli/prompt_source.h"
#include "core/config/installation.h"
#include "core/config/json.h"
#include "core/device.h"
#include "core/error.h"
#include "core/media/image.h"
#include "core/pyramid/schedule.h"
#include "core/reduce/gate.h"
#include "core/text/prompt.h"
#include "core/write_outputs.h"

namespace faststar {
namespace {

constexpr int64_t kSeeds = int64_t{1} << 32;

/// From the given or a random first seed on, one a file.
std::vector<int64_t> choose_seeds(Settings& settings) {
  const int count = settings.config.generate.count;
  auto& seed = settings.config.sampling.seed;
  if (!seed) seed = std::uniform_int_distribution<int64_t>(0, kSeeds - count)(*std::make_unique<std::random_device>());
  if (*seed + count > kSeeds) {
    fail(ErrorKind::usage, fmt::format("{} {} and {} {}: the last seed would pass {}", settings.origin("seed").text,
                                       *seed, settings.origin("count").text, count, kSeeds - 1));
  }
  std::vector<int64_t> seeds;
  for (int i = 0; i < count; ++i) seeds.push_back(*seed + i);
  return seeds;
}

JobSize choose_size(Task task, const ResolvedSettings& resolved) {
  const GenerateConfig& generate = resolved.settings.config.generate;
  const bool video = task == Task::text_to_video;
  (video ? check_video_size : check_image_size)(resolved.model.preset, resolved.settings);
  JobSize size;
  size.aspect_key = nearest_aspect_key(static_cast<double>(generate.aspect.height) / generate.aspect.width);
  size.pn = pn_of(generate.resolution);
  size.latent_frames = video ? latent_frames_of(generate.duration) : 1;
  size.latents_per_clip = resolved.model.preset.latents_per_clip;
  size.frames = frame_count(size.latent_frames);
  const Scale full = image_scales(size.aspect_key, size.pn).back();
  size.height = pixels_of(full.h);
  size.width = pixels_of(full.w);
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

void choose_device(const RuntimeConfig& runtime, const Settings& settings, GenerateJob& job) {
  const at::Device device = pick_device(runtime.device.value_or(""));
  job.device = device.str();
  job.precision = runtime.precision.value_or(device.is_cuda() ? Precision::bf16 : Precision::fp32);
  job.attention = runtime.attention;
  job.kernels = runtime.kernels;
  if (job.attention == AttentionBackend::cudnn && !device.is_cuda()) {
    fail(ErrorKind::usage,
         fmt::format("{} cudnn: it needs a GPU, and this runs on the CPU", settings.origin("attention").text),
         "--attention aten");
  }
}

void choose_text(Task task, Settings& settings, GenerateJob& job) {
  PromptConfig& prompt = settings.config.prompt;
  job.prompt = read_prompt(settings);
  prompt.prompt = job.prompt;  // what --save-config keeps, whatever file it came from
  prompt.prompt_file.reset();
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
  job.model_prompt =
      task == Task::text_to_video ? video_prompt(job.prompt, prompt, settings.config.generate.duration) : job.prompt;
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

/// The settings of one file: those of the run with this file's seed.
std::string output_settings(const GenerateJob& job, Config config, int64_t seed) {
  config.sampling.seed = seed;
  config.generate.count = 1;
  nlohmann::ordered_json json = config_json(config);
  json["model"]["name"] = job.model.preset.name;
  json["model"]["random_weights"] = job.model.random_weights;
  const std::string preset = job.model.preset.file.stem().string();
  if (!job.model.embedded && preset_file(preset) == job.model.preset.file) json["model"]["preset"] = preset;
  json["prompt"]["model_prompt"] = job.model_prompt;
  json["runtime"]["device"] = job.device;
  json["runtime"]["precision"] = choice_name(job.precision);
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Throws Error(usage) when the file's name does not fit what goes into it.
void check_format(const GenerateJob& job, const std::filesystem::path& file) {
  if (job.task == Task::text_to_image) return check_image_output(file);
  check_video_output(file, {.width = job.size.width, .height = job.size.height}, encoding_of(job.encoding));
}

std::string describe_model(const ModelFolder& model) {
  if (model.embedded) {
    return fmt::format("{} (embedded{}); --model DIR or FASTSTAR_MODEL uses another", model.preset.name,
                       model.random_weights ? ", random weights" : "");
  }
  const std::string where = model.folder.empty() ? model.preset.file.string() : model.folder.string();
  return fmt::format("{} ({}{})", model.preset.name, where, model.random_weights ? ", random weights" : "");
}

/// "faststar, 5 of 90 passes, 65 % of all tokens": nothing when no method is on.
std::string describe_reduction(const GenerateJob& job) {
  const JobSize& size = job.size;
  const Schedule schedule = make_schedule(size.aspect_key, size.pn, size.latent_frames, size.latents_per_clip);
  const Repetitions repetitions{job.schedule.image_repetitions, job.schedule.video_repetitions};
  const ReductionGate gate(job.reduction, schedule, repetitions);
  int reduced = 0;
  int64_t tokens = 0;
  int64_t kept = 0;
  const auto steps = schedule.steps(repetitions);
  for (const Step& step : steps) {
    reduced += gate.reduces(step) ? 1 : 0;
    tokens += schedule.scales()[step.scale].tokens();
    kept += gate.kept_tokens(step);
  }
  return fmt::format("{}, {} of {} passes, {} of {} tokens", choice_name(job.reduction.method), reduced, steps.size(),
                     kept, tokens);
}

}  // namespace

GenerateJob plan_job(Task task, ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  auto& folder = settings.config.model.model;
  if (folder) folder = std::filesystem::absolute(*folder).string();  // saved settings work from any folder
  GenerateJob job;
  job.task = task;
  job.model = resolved.model;
  choose_text(task, settings, job);
  job.size = choose_size(task, resolved);
  check_schedule(job.size, settings.config.schedule, settings.config.reduction);
  check_encoding(settings);
  check_reduction_flags(settings);
  choose_device(settings.config.runtime, settings, job);
  copy_settings(settings.config, job);
  job.outputs = choose_outputs(task, settings.config.output, job.prompt, choose_seeds(settings));
  for (JobOutput& output : job.outputs) {
    check_format(job, output.file);
    output.settings_json = output_settings(job, settings.config, output.seed);
  }
  return job;
}

std::vector<std::string> describe_job(const GenerateJob& job) {
  std::vector<std::string> lines = {fmt::format("model: {}", describe_model(job.model)),
                                    fmt::format("prompt used: {}", job.model_prompt),
                                    fmt::format("size: {}x{}, {} frame{}", job.size.width, job.size.height,
                                                job.size.frames, job.size.frames > 1 ? "s" : ""),
                                    fmt::format("device: {}, {}", job.device, choice_name(job.precision))};
  if (job.reduction.method != ReductionMethod::none) {
    lines.push_back(fmt::format("reduction: {}", describe_reduction(job)));
  }
  for (const JobOutput& output : job.outputs) {
    lines.push_back(fmt::format("seed {}: {}", output.seed, output.file.string()));
  }
  return lines;
}

}  // namespace faststar
