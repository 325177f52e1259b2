#include "core/pipeline/inputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/value.h"
#include "core/media/frame_source.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/video_reader.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

std::string without_outer_blanks(const std::string& text) {
  const std::u32string characters = decode_utf8(text);
  const auto seen = [](char32_t c) { return !is_blank(c); };
  const auto begin = std::find_if(characters.begin(), characters.end(), seen);
  const auto end = std::find_if(characters.rbegin(), characters.rend(), seen).base();
  return begin < end ? encode_utf8({begin, end}) : "";
}

constexpr double kFramesPerSecond = 16;
constexpr double kAlmost = 1e-3;  // seconds: containers round times to 1/1000

/// Resizes frames to the run's pixels; says once what that cuts or adds.
FrameTransform fitting(const std::filesystem::path& file, PixelSize source, const VideoSize& size, Fit fit) {
  const PixelSize target{size.height, size.width};
  const std::string change = plan_fit(source, target, fit).text();
  if (!change.empty()) log::info("{}: {}", file.string(), change);
  return [target, fit](const Tensor& frame) { return fit_to(frame, target, fit); };
}

/// uint8 [F, H, W, 3] -> what the encoder takes.
Tensor pixels_of_frames(const Tensor& frames) {
  std::vector<Tensor> pixels;
  for (const Tensor& frame : frames.unbind()) pixels.push_back(to_pixels(frame));
  return at::stack(pixels, 1).unsqueeze(0);
}

Tensor read_picture(const SourceClip& source, const VideoSize& size) {
  const Tensor image = read_image(source.file);
  if (!is_picture(source.file)) {
    log::warn("{}: this is a video, only its first frame is used; `faststar v2v` continues videos",
              source.file.string());
  }
  return pixels_of_frames(fitting(source.file, {image.size(0), image.size(1)}, size, source.fit)(image).unsqueeze(0));
}

/// `count` frames of the span of a video that begins at `start` seconds.
Tensor read_span(VideoReader& video, const FrameSpan& span, const FrameTransform& transform) {
  if (!video.info().variable_rate) {
    return frames_at(video, frame_indices(video.info().fps, video.info().frames, span), transform);
  }
  // As with even frames the end is exclusive: the last frame is shown in its place.
  const double last = video.info().duration - kAlmost;
  std::vector<double> times;
  for (int64_t frame = 0; frame < span.count; ++frame) {
    times.push_back(std::min(std::max(span.start, 0.0) + static_cast<double>(frame) / kFramesPerSecond, last));
  }
  return frames_shown_at(video, times, transform);
}

FrameSpan last_span(const VideoInfo& info, double seconds, int64_t frames) {
  if (info.variable_rate) return {info.duration - seconds, info.duration, frames};
  return last_seconds(info.fps, info.frames, seconds, frames);
}

void check_length(const std::filesystem::path& file, const VideoInfo& info, double start, double seconds) {
  const double slack = info.variable_rate ? 0.5 / info.fps : 0;  // the last frame's end may be rounded, or not known
  if (info.duration + slack >= start + seconds) return;
  const std::string from = start > 0 ? fmt::format(" after --start {:g}", start) : "";
  fail(ErrorKind::input,
       fmt::format("{}: expected at least {:g} s of video{}, but it is {:.2f} s long", file.string(), seconds, from,
                   info.duration),
       start > 0 ? "use a smaller --start" : "use a longer video");
}

std::filesystem::path named_file(const std::optional<std::string>& name, const char* what, const char* hint) {
  if (!name || name->empty()) fail(ErrorKind::usage, fmt::format("no {}", what), hint);
  return *name;
}

/// True when this model made the file.
bool made_by(const ModelPreset& model, const std::filesystem::path& file) {
  const auto provenance = read_provenance(file);
  return provenance && recorded(nlohmann::json::parse(provenance->settings_json), "model", "name") == model.name;
}

/// Names the words of the prompt that are not in the list of those that the model was trained with, where it has one.
void warn_about_words(const ModelPreset& preset, const std::filesystem::path& list, const std::string& prompt) {
  std::ifstream file(list);
  if (!file) return;
  const std::set<std::string> known{std::istream_iterator<std::string>(file), {}};
  std::vector<std::string> unknown = words_in(prompt);
  std::erase_if(unknown, [&](const std::string& word) { return known.contains(word); });
  if (unknown.empty()) return;
  log::warn("{} does not know {}: its words are in {}; --model DIR takes a model that knows more", preset.name,
            shortened(fmt::format("{}", fmt::join(unknown, ", "))), list.string());
}

/// The embedded model was trained for one shape; the official ones for all.
void warn_about_shape(const ModelPreset& preset, const VideoSize& size) {
  const Aspect trained = preset.settings.config.generate.aspect;
  if (size.aspect_key == nearest_aspect_key(static_cast<double>(trained.height) / trained.width)) return;
  log::warn("{} was trained for --aspect {} only: another shape will not be meaningful", preset.name,
            value_text(trained));
}

}  // namespace

std::string checked_prompt(const std::string& text, const std::string& origin, ErrorKind kind) {
  if (const auto offset = find_invalid_utf8(text)) {
    fail(kind, fmt::format("{}: expected UTF-8 text, got something else at byte {}", origin, *offset));
  }
  if (text.find('\0') != std::string::npos) fail(kind, fmt::format("{}: expected text, got a NUL byte", origin));
  std::string prompt = without_outer_blanks(text);
  if (prompt.empty()) {
    const char* const hint = kind == ErrorKind::usage ? "-p \"a red ball\"" : "";
    fail(kind, fmt::format("{}: the prompt is empty", origin), hint);
  }
  return prompt;
}

std::string read_prompt(const Settings& settings) {
  const PromptConfig& prompt = settings.config.prompt;
  const auto read = [](std::istream& stream, const std::string& origin) {
    return checked_prompt(read_text(stream, origin, "a prompt", 1, ErrorKind::input), origin, ErrorKind::input);
  };
  if (prompt.prompt_file) {
    std::ifstream file(*prompt.prompt_file, std::ios::binary);
    return read(file, *prompt.prompt_file);
  }
  if (!prompt.prompt) fail(ErrorKind::usage, "no prompt", "-p \"a red ball\", or --prompt-file FILE");
  if (*prompt.prompt == "-") return read(std::cin, "stdin");
  return checked_prompt(*prompt.prompt, settings.origin("prompt").text, ErrorKind::usage);
}

std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration) {
  const std::string tag = config.duration_tag ? fmt::format("<<<t={}s>>>", duration.count) : "";
  return tag + prompt + config.prompt_suffix;
}

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

std::shared_ptr<const SoundTrack> read_source_sound(const Request& request, const std::filesystem::path& file) {
  if (request.task != Task::video_to_video) return nullptr;
  if (request.source->only_new) {
    if (has_sound(request.source->file)) {
      log::warn("{}: sound dropped: it belongs to the part that --only-new leaves out", request.source->file.string());
    }
    return nullptr;
  }
  const double seconds = static_cast<double>(frames_of_latents(request.source->latents)) / kFramesPerSecond;
  return read_sound({request.source->file, request.source->start.value_or(0), seconds}, file);
}

void warn_about_untrained_use(const Request& request) {
  const ModelFolder& model = request.setup.model;
  if (request.task == Task::interactive && !model.preset.interactive) {
    log::warn("{} was not trained for {}: the output will not be meaningful; use the model of --config 480p-interact",
              model.preset.name, task_command(request.task));
  } else if (request.source && model.embedded && !made_by(model.preset, request.source->file)) {
    log::warn("{} only knows simple shapes: with other images and videos the output will not be meaningful",
              model.preset.name);
  }
  if (model.random_weights) return;
  warn_about_words(model.preset, model.layout.words(), request.prompt);
  if (model.embedded) warn_about_shape(model.preset, request.size);
}

Tensor read_source(const SourceClip& source, const VideoSize& size) {
  const int64_t frames = frames_of_latents(source.latents);
  if (frames == 1) return read_picture(source, size);
  VideoReader video(source.file);
  const double seconds = static_cast<double>(frames - 1) / kFramesPerSecond;
  check_length(source.file, video.info(), source.start.value_or(0), seconds);
  const FrameSpan span = source.start ? FrameSpan{*source.start, *source.start + seconds, frames}
                                      : last_span(video.info(), seconds, frames);
  const auto transform = fitting(source.file, {video.info().height, video.info().width}, size, source.fit);
  return pixels_of_frames(read_span(video, span, transform));
}

}  // namespace faststar
