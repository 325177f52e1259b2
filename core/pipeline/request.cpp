#include "core/pipeline/request.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/utf8.h"
#include "core/config/preset.h"
#include "core/media/video_reader.h"
#include "core/model/reduce/gate.h"
#include "core/model/star/guidance_reuse.h"
#include "core/model/vae/architecture.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/prompt.h"

namespace faststar {
namespace {

std::filesystem::path named_file(const std::optional<std::string>& name, const char* what, const char* hint) {
  if (!name || name->empty()) fail(ErrorKind::usage, fmt::format("no {}", what), hint);
  return *name;
}

/// Throws Error(usage) when it was not named.
std::optional<SourceClip> find_source(Task task, const ResolvedSettings& resolved) {
  const GenerateConfig& generate = resolved.settings.config.generate;
  if (task == Task::image_to_video) {
    return SourceClip{.file = named_file(generate.image, "input image", "--image FILE"), .fit = generate.fit};
  }
  const bool continues = task == Task::video_to_video || (task == Task::interactive && generate.video);
  if (!continues) return std::nullopt;
  return SourceClip{.file = named_file(generate.video, "video to continue", "--video FILE"),
                    .fit = generate.fit,
                    .start = task == Task::interactive ? std::nullopt : std::optional(generate.start),
                    .only_new = generate.only_new,
                    .latents = 1 + resolved.model.preset.latents_per_clip};
}

VideoSize choose_size(Task task, const ResolvedSettings& resolved) {
  const GenerateConfig& generate = resolved.settings.config.generate;
  const bool video = task != Task::text_to_image;
  (video ? check_video_size : check_image_size)(resolved.model.preset, resolved.settings);
  VideoSize size;
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
void check_schedule(const VideoSize& size, const GenerationSettings& generation) {
  const Schedule schedule = schedule_of(Task::text_to_video, size);
  schedule.steps(generation.repetitions);
  const ReductionGate gate(generation.reduction, schedule, generation.repetitions);
  const GuidanceRows rows(generation.guidance, schedule);
  if (generation.semantic_scales <= schedule.scales_per_clip()) return;
  fail(ErrorKind::usage, fmt::format("semantic_scales: expected at most {} (the scales of {}), got {}",
                                     schedule.scales_per_clip(), size.pn, generation.semantic_scales));
}

/// Throws Error(usage) when one of `flags` was given: they do nothing without `needed`.
void refuse_idle(const Settings& settings, std::initializer_list<const char*> flags, const char* needed,
                 const char* hint) {
  for (const char* flag : flags) {
    const Origin& origin = settings.origin(flag);
    if (origin.source != Source::flag) continue;
    fail(ErrorKind::usage, fmt::format("{}: has no effect without {}", origin.text, needed), hint);
  }
}

void check_idle_flags(const Settings& settings) {
  const GuidanceSettings& guidance = settings.config.guidance;
  const bool reduces = settings.config.reduction.method != ReductionMethod::none;
  if (!reduces && settings.config.output.trace) {
    fail(ErrorKind::usage,
         fmt::format("{}: a trace holds what reduction did, and nothing is reduced", settings.origin("trace").text),
         "add --reduce faststar");
  }
  if (!reduces && settings.origin("no_reduce").source == Source::standard) {
    refuse_idle(settings, {"ratios", "p_norm", "reduce_preset"}, "a reduction method", "add --reduce faststar");
  }
  if (guidance.reuse.passes == GuidanceReuse::none) {
    refuse_idle(settings, {"guidance_reuse_scales", "guidance_reuse_weight"}, "guidance reuse",
                "add --guidance-reuse late");
  } else if (guidance.scale == 1) {
    refuse_idle(settings, {"guidance_reuse"}, "guidance", "remove it, or set --guidance to a value other than 1");
  }
  if (settings.config.runtime.precision != Precision::fp8) {
    refuse_idle(settings, {"fp8_scales"}, "8-bit linear layers", "add --precision fp8");
  }
}

/// H.264 options say nothing about a lossless file.
void check_encoding(const Settings& settings) {
  if (!settings.config.output.encoding.lossless) return;
  for (const char* h264 : {"crf", "preset"}) {
    const Origin& origin = settings.origin(h264);
    if (origin.source < Source::environment) continue;
    fail(ErrorKind::usage,
         fmt::format("{} and {} cannot be combined: lossless video is FFV1, not H.264", origin.text,
                     settings.origin("lossless").text),
         fmt::format("leave out {}", origin.text));
  }
}

/// The texts around every prompt.
void set_texts(Settings& settings, Request& request) {
  PromptConfig& prompt = settings.config.prompt;
  if (!prompt.prompt_suffix.empty()) {
    checked_prompt(prompt.prompt_suffix, settings.origin("prompt_suffix").text, ErrorKind::usage);
  }
  if (prompt.negative && prompt.negative->empty()) prompt.negative.reset();  // as the official code reads ''
  if (prompt.negative && settings.config.guidance.scale == 1) {
    fail(ErrorKind::usage,
         fmt::format("{}: a negative prompt needs guidance, {} is 1", settings.origin("negative").text,
                     settings.origin("guidance").text),
         "use a --guidance above 1, or drop --negative");
  }
  if (prompt.negative)
    request.negative = checked_prompt(*prompt.negative, settings.origin("negative").text, ErrorKind::usage);
  request.text_limit = prompt.text_limit;
}

/// How frames become files.
void set_encoding(Request& request, const Config& config) {
  request.first_frame = config.generate.first_frame;
  request.encoding = config.output.encoding;
  request.metadata = !config.output.no_metadata;
  request.existing = replace_if(config.output.overwrite);
}

/// Sets the length of a video that continues another: without --duration, one clip more than it has.
/// Throws Error(usage) when nothing would be new.
void choose_continued_duration(ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  const int clip = resolved.model.preset.latents_per_clip / kLatentFramesPerSecond;  // seconds
  Seconds& duration = settings.config.generate.duration;
  if (settings.origin("duration").source <= Source::preset) {
    duration.count = 2 * clip;
    settings.origins["duration"] = {Source::preset, "the default duration"};
  }
  if (duration.count > clip) return;
  fail(ErrorKind::usage,
       fmt::format("{} {}: expected more than the {} s taken from the input video", settings.origin("duration").text,
                   duration.count, clip),
       fmt::format("--duration {}", 2 * clip));
}

/// The template nearest to the video's shape, unless one was asked for.
void choose_aspect_of_video(Settings& settings) {
  GenerateConfig& generate = settings.config.generate;
  if (!generate.video || settings.origin("aspect").source > Source::preset) return;
  const VideoReader video(*generate.video);
  generate.aspect = {static_cast<int>(video.info().width), static_cast<int>(video.info().height)};
}

/// From the given or a random first seed on, `generate.count` of them; fills in `sampling.seed`.
std::vector<int64_t> choose_seeds(Settings& settings, ProcessGroup& group) {
  const int count = settings.config.generate.count;
  auto& seed = settings.config.sampling.seed;
  if (!seed) seed = group.agree(random_seed(count));
  if (*seed + count > kSeeds) {
    fail(ErrorKind::usage, fmt::format("{} {} and {} {}: the last seed would exceed {}", settings.origin("seed").text,
                                       *seed, settings.origin("count").text, count, kSeeds - 1));
  }
  std::vector<int64_t> seeds;
  for (int i = 0; i < count; ++i) seeds.push_back(*seed + i);
  return seeds;
}

/// Settings that mean nothing for the format of `file` are refused; what it cannot hold is said.
void check_use(const Settings& settings, Task task, const std::filesystem::path& file) {
  if (task == Task::text_to_image || is_frame_folder(file)) return;
  const OutputConfig& output = settings.config.output;
  const VideoUse use = video_use(file, output.encoding);
  for (const auto& [name, is_used] : {std::pair("crf", use.crf), std::pair("preset", use.preset)}) {
    const Origin& origin = settings.origin(name);
    if (is_used || origin.source != Source::flag) continue;
    fail(ErrorKind::usage, fmt::format("{}: has no effect on {} files", origin.text, lower_extension(file)),
         fmt::format("leave out {}", origin.text));
  }
  warn_about_crf(file, output.encoding);
  if (!use.metadata && !output.no_metadata) {
    log::info("{} files hold no settings; --save-config FILE keeps them", lower_extension(file));
  }
}

/// Chooses the files and checks that all of them can be made.
void set_outputs(Request& request, Settings& settings) {
  const GenerateConfig& generate = settings.config.generate;
  choose_outputs(request, settings.config.output, choose_seeds(settings, *request.setup.group),
                 {generate.image, generate.video});
  for (RequestedOutput& output : request.outputs) {
    if (output.preview) check_video_output(*output.preview, format_of(request.size), {});
    output.settings_json = output_settings(request, settings.config, output.seed);
  }
  check_use(settings, request.task, request.outputs.front().file);
}

/// The steps of the clips that are made.
std::vector<Step> steps_made(const Request& request) {
  std::vector<Step> steps = request.schedule.steps(request.generation.repetitions);
  std::erase_if(steps, [given = request.given_clips()](const Step& step) { return step.clip < given; });
  return steps;
}

/// What the passes of the clips that are made compute.
PassTotals pass_totals(const Request& request) {
  const GenerationSettings& generation = request.generation;
  const ReductionGate gate(generation.reduction, request.schedule, generation.repetitions);
  const GuidanceRows rows(generation.guidance, request.schedule);
  PassTotals totals;
  for (const Step& step : steps_made(request)) {
    totals.add(rows, step, request.schedule.scales()[static_cast<size_t>(step.scale)].tokens(), gate.kept_tokens(step));
  }
  return totals;
}

/// "faststar, 5 of 85 passes, 170277 of 244197 tokens", of the clips that are made; in interactive mode of each clip.
std::string describe_reduction(const Request& request) {
  const GenerationSettings& generation = request.generation;
  const ReductionGate gate(generation.reduction, request.schedule, generation.repetitions);
  const auto reduced = std::ranges::count_if(steps_made(request), [&](const Step& step) { return gate.reduces(step); });
  const PassTotals totals = pass_totals(request);
  return fmt::format("{}, {} of {} passes, {} of {} tokens", choice_name(generation.reduction.method), reduced,
                     totals.passes, totals.kept, totals.tokens);
}

/// "late, 6 of 40 passes run one guidance row (3663 of 6829 tokens); 55 % of the work of a full run".
std::string describe_guidance_reuse(const Request& request) {
  const PassTotals totals = pass_totals(request);
  return fmt::format("{}, {} of {} passes run one guidance row ({} of {} tokens); {:.0f} % of the work of a full run",
                     choice_name(request.generation.guidance.reuse.passes), totals.one_row_passes, totals.passes,
                     totals.one_row_tokens, totals.kept, 100 * totals.work());
}

}  // namespace

const char* task_command(Task task) {
  constexpr std::array names = {"t2v", "t2i", "i2v", "v2v", "interact"};
  return names[static_cast<size_t>(task)];
}

int Request::given_clips() const {
  if (!source || schedule.first_video_clip() == 0) return 0;
  int clips = 0;
  while (schedule.frames_of(clips).begin < source->latents) ++clips;
  return clips;
}

int64_t Request::frames_shown() const {
  return size.frames - (leaves_out_source() ? frames_of_latents(source->latents) : 0);
}

int64_t random_seed(int count) {
  std::random_device random;
  return std::uniform_int_distribution<int64_t>(0, kSeeds - count)(random);
}

Schedule schedule_of(Task task, const VideoSize& size) {
  if (task == Task::interactive) return continuation_schedule(size.aspect_key, size.pn, size.latents_per_clip);
  return make_schedule(size.aspect_key, size.pn, size.latent_frames, size.latents_per_clip);
}

GenerationSettings generation_settings(const Config& config) {
  return {.repetitions = config.schedule.repetitions,
          .semantic_scales = config.schedule.semantic_scales,
          .guidance = config.guidance,
          .tau_image = config.sampling.tau_image,
          .tau_video = config.sampling.tau_video,
          .sampling = config.sampling.sampling,
          .attention = {config.runtime.attention, config.runtime.attention_precision},
          .linears = linears_of(config.runtime),
          .fp8_scales = config.runtime.fp8_scales,
          .reduction = config.reduction};
}

std::string output_settings(const Request& request, Config config, int64_t seed) {
  config.sampling.seed = seed;
  config.generate.count = 1;
  nlohmann::ordered_json json = config_json(without_home(std::move(config)));
  const ModelFolder& model = request.setup.model;
  json["model"]["name"] = model.preset.name;
  json["model"]["random_weights"] = model.random_weights;
  if (const std::string preset = preset_name(model); !preset.empty()) json["model"]["preset"] = preset;
  json["prompt"]["model_prompt"] = request.model_prompt;
  json["runtime"]["device"] = request.setup.device;
  json["runtime"]["precision"] = choice_name(request.setup.precision);
  return json_text(json);
}

Request make_shared_request(Task task, ResolvedSettings& resolved) {
  Settings& settings = resolved.settings;
  Config& config = settings.config;
  check_recorded_names(settings);
  if (task == Task::video_to_video) choose_continued_duration(resolved);
  Request request;
  request.task = task;
  request.command = task_command(task);
  request.source = find_source(task, resolved);
  set_texts(settings, request);
  request.size = choose_size(task, resolved);
  request.generation = generation_settings(config);
  check_schedule(request.size, request.generation);
  request.schedule = schedule_of(task, request.size);
  request.detail_scale_min_tokens = config.schedule.detail_scale_min_tokens;
  check_encoding(settings);
  check_idle_flags(settings);
  request.setup = model_setup(resolved);
  set_encoding(request, config);
  return request;
}

void set_prompt(Request& request, const std::string& prompt, const Config& config) {
  request.prompt = prompt;
  request.model_prompt =
      request.task == Task::text_to_image ? prompt : video_prompt(prompt, config.prompt, config.generate.duration);
}

Request make_request(Task task, ResolvedSettings& resolved) {
  Config& config = resolved.settings.config;
  const std::string prompt = read_prompt(resolved.settings);
  config.prompt.prompt = prompt;  // what --save-config keeps, whatever file it came from
  config.prompt.prompt_file.reset();
  Request request = make_shared_request(task, resolved);
  set_prompt(request, prompt, config);
  set_outputs(request, resolved.settings);
  return request;
}

Request make_interactive_request(ResolvedSettings& resolved, const std::string& first_prompt) {
  Config& config = resolved.settings.config;
  choose_aspect_of_video(resolved.settings);
  config.generate.count = 1;
  // Only single videos have these.
  config.output.frames_dir.reset();
  config.output.save_codes.reset();
  config.output.preview.reset();
  config.output.trace.reset();
  Request request = make_shared_request(Task::interactive, resolved);
  set_prompt(request, first_prompt, config);
  set_outputs(request, resolved.settings);
  if (is_frame_folder(request.outputs.front().file)) {
    fail(ErrorKind::usage, fmt::format("{}: interact makes videos, not a folder of frames", *config.output.output),
         "-o NAME.mp4");
  }
  return request;
}

Request make_decode_request(SavedCodes codes, const std::string& file, const ResolvedSettings& resolved) {
  const Config& config = resolved.settings.config;
  auto settings = nlohmann::ordered_json::parse(codes.settings_json);
  const nlohmann::json prompt = recorded(settings, "prompt", "prompt");
  const nlohmann::json seed = recorded(settings, "sampling", "seed");
  const bool left_out = codes.command == "v2v" && recorded(settings, "generate", "only_new") == true;
  if (codes.command == "v2v" && !left_out) log::info("the sound of the input video is not saved with the codes");

  Request request;
  const Scale scale = codes.scale();
  request.task = scale.t == 1 ? Task::text_to_image : Task::text_to_video;
  request.command = codes.command;
  request.setup = model_setup(resolved);
  request.prompt = prompt.is_string() ? prompt.get<std::string>() : "video";
  request.size.latent_frames = scale.t;
  request.size.frames = frames_of_latents(scale.t);
  request.size.height = pixels_of_features(scale.h);
  request.size.width = pixels_of_features(scale.w);
  if (left_out) {
    int64_t latents = 0;
    for (size_t clip = 0; clip < std::min<size_t>(2, codes.clips.size()); ++clip) latents += codes.clips[clip].size(2);
    request.source = SourceClip{.only_new = true, .latents = latents};
  }
  set_encoding(request, config);
  choose_outputs(request, config.output, {seed.is_number_integer() ? seed.get<int64_t>() : 0}, {file});
  RequestedOutput& output = request.outputs.front();
  check_use(resolved.settings, request.task, output.file);
  settings["output"] = config_json(without_home(config))["output"];
  settings["generate"]["first_frame"] = choice_name(config.generate.first_frame);
  output.settings_json = json_text(settings);
  request.codes = std::move(codes);
  return request;
}

namespace {

std::string processes_text(int processes) {
  return processes == 1 ? "" : fmt::format(" and {} more that share each pass", processes - 1);
}

}  // namespace

std::vector<std::string> describe(const Request& request) {
  const VideoSize& size = request.size;
  const int64_t frames = request.frames_shown();
  std::vector<std::string> lines = {
      fmt::format("model: {}", describe_model(request.setup.model)),
      fmt::format("prompt used: {}", shortened(request.model_prompt, kShownPrompt)),
      fmt::format("size: {}x{}, {} frame{}", size.width, size.height, frames, frames > 1 ? "s" : ""),
      fmt::format("device: {}{}, {}", request.setup.device, processes_text(request.setup.processes),
                  choice_name(request.setup.precision))};
  if (const at::Device device(request.setup.device); device.is_cuda() && !request.setup.absent_gpu) {
    const at::ScalarType dtype = dtype_of(request.setup.precision);
    lines.push_back(fmt::format("attention: {}", attention_text(request.generation.attention, device, dtype)));
  }
  if (request.source) lines.push_back(fmt::format("source: {}", request.source->file.string()));
  if (request.generation.reduction.method != ReductionMethod::none) {
    lines.push_back(fmt::format("reduction: {}", describe_reduction(request)));
  }
  if (request.generation.guidance.reuse.passes != GuidanceReuse::none) {
    lines.push_back(fmt::format("guidance reuse: {}", describe_guidance_reuse(request)));
  }
  for (const RequestedOutput& output : request.outputs) {
    lines.push_back(fmt::format("seed {}: {}", output.seed, output.file.string()));
  }
  return lines;
}

}  // namespace faststar
