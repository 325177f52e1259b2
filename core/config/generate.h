#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/fields.h"
#include "core/config/resolution.h"
#include "core/media/resize.h"
#include "core/model/star/guidance.h"
#include "core/model/star/sampler.h"
#include "core/model/vae/frames.h"

/// What to make: model, size, words and how bits are drawn. An empty std::optional means "decide for me".
namespace faststar {

struct ModelConfig {
  std::optional<std::string> model;  ///< a model folder or the official release tree; none: the embedded model
  bool random_weights = false;       ///< weights from a generator: right speed and memory, pictures of noise
};

template <FieldsOf<ModelConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "model",
              .help = "model folder or official release tree",
              .argument = "DIR",
              .other_names = "--weights",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.model);
  visit(Field{.name = "random_weights", .help = "no checkpoint: noise at the right speed", .scope = FlagScope::writing},
        c.random_weights);
}

template <>
struct Choices<FirstFrame> {
  static constexpr std::array<std::string_view, 2> names = {"copy", "keep"};
};

template <>
struct Choices<Fit> {
  static constexpr std::array<std::string_view, 2> names = {"crop", "pad"};
};

struct GenerateConfig {
  std::optional<std::string> image;  ///< what a video starts from, a picture in any common format
  std::optional<std::string> video;  ///< what a video goes on from, in any common format
  double start = 0;                  ///< seconds of `video` before the part to go on from
  Fit fit = Fit::crop;               ///< how `image` or `video` of another shape gets the size
  bool only_new = false;             ///< leave the part of `video` out of the result
  Seconds duration;                  ///< frames = 16 s + 1
  Resolution resolution = Resolution::p720;
  Aspect aspect;  ///< the nearest template of the schedule is taken
  int count = 1;  ///< videos of this prompt, seeds seed, seed + 1, ...
  FirstFrame first_frame = FirstFrame::copy;
};

template <FieldsOf<GenerateConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image",
              .help = "the picture to start from",
              .argument = "FILE",
              .scope = FlagScope::i2v,
              .page = HelpPage::screen},
        c.image);
  visit(Field{.name = "video",
              .help = "the video to go on from",
              .argument = "FILE",
              .scope = FlagScope::v2v | FlagScope::interact,
              .page = HelpPage::screen},
        c.video);
  visit(Field{.name = "start",
              .help = "second of the video to begin at",
              .range = {0, 1e6},
              .scope = FlagScope::v2v,
              .page = HelpPage::screen},
        c.start);
  visit(Field{.name = "fit",
              .help = "another shape: cut, or add bars",
              .scope = FlagScope::i2v | FlagScope::v2v | FlagScope::interact | FlagScope::batch,
              .page = HelpPage::screen},
        c.fit);
  visit(Field{.name = "only_new",
              .help = "leave the given video out of the result",
              .scope = FlagScope::v2v | FlagScope::interact,
              .page = HelpPage::screen},
        c.only_new);
  visit(Field{.name = "duration",
              .help = "length in seconds",
              .range = {1, 86400},
              .argument = "SECONDS",
              .scope = FlagScope::one_video | FlagScope::batch,
              .page = HelpPage::screen,
              .fallback = Fallback::model},
        c.duration);
  visit(Field{.name = "resolution", .help = "size", .page = HelpPage::screen, .fallback = Fallback::model},
        c.resolution);
  visit(Field{.name = "aspect", .help = "shape, nearest template taken", .page = HelpPage::screen}, c.aspect);
  visit(Field{.name = "count",
              .help = "how many, with seeds N, N+1, ...",
              .range = {1, 10000},
              .scope = FlagScope::one_file,
              .page = HelpPage::screen},
        c.count);
  visit(Field{.name = "first_frame",
              .help = "frame 0: of frame 1, or as decoded",
              .scope = FlagScope::video | FlagScope::decode},
        c.first_frame);
}

struct PromptConfig {
  std::optional<std::string> prompt;       ///< what to show, UTF-8
  std::optional<std::string> prompt_file;  ///< a file that holds the prompt
  std::optional<std::string> negative;     ///< what not to show; none: the learned unconditional text
  std::string prompt_suffix;               ///< appended to the prompt of a video
  bool duration_tag = false;               ///< `<<<t=5s>>>` before the prompt of a video
  int text_limit = 512;                    ///< tokens of the text, end token included; the rest is cut
};

template <FieldsOf<PromptConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "prompt",
              .help = "what to show; - reads it from stdin",
              .other_names = "-p",
              .scope = FlagScope::one_file,
              .page = HelpPage::screen},
        c.prompt);
  visit(Field{.name = "prompt_file",
              .help = "read the prompt from a file",
              .argument = "FILE",
              .scope = FlagScope::one_file},
        c.prompt_file);
  visit(Field{.name = "negative", .help = "what not to show"}, c.negative);
  visit(Field{.name = "prompt_suffix",
              .help = "appended to the prompt; \"\" for nothing",
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.prompt_suffix);
  visit(Field{.name = "duration_tag",
              .help = "put <<<t=Ns>>> before the prompt",
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.duration_tag);
  visit(Field{.name = "text_limit", .help = "longest text in tokens", .range = {2, 512}, .fallback = Fallback::model},
        c.text_limit);
}

template <>
struct Choices<GuidanceMethod> {
  static constexpr std::array<std::string_view, 2> names = {"apg", "cfg"};
};

struct GuidanceConfig {
  double guidance = 1;  ///< strength; 1 is none
  GuidanceMethod guidance_method = GuidanceMethod::apg;
  double apg_norm_threshold = 0.05;  ///< APG: longest update, RMS over a scale; 0 is no limit
};

template <FieldsOf<GuidanceConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "guidance",
              .help = "strength of the prompt; 1 is none",
              .range = {0, 1000},
              .fallback = Fallback::model},
        c.guidance);
  visit(Field{.name = "guidance_method", .help = "how guidance is applied", .fallback = Fallback::model},
        c.guidance_method);
  visit(Field{.name = "apg_norm_threshold", .help = "APG: longest update, RMS", .range = {0, 1000}},
        c.apg_norm_threshold);
}

template <>
struct Choices<Sampling> {
  static constexpr std::array<std::string_view, 2> names = {"philox", "greedy"};
};

struct SamplingConfig {
  std::optional<int64_t> seed;  ///< 0 to 2^32 - 1; none: a random one, printed and recorded
  Sampling sampling = Sampling::philox;
  double tau_image = 1;  ///< temperature of the image clip
  double tau_video = 1;  ///< temperature of the video clips
};

template <FieldsOf<SamplingConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "seed",
              .help = "random seed; chosen and printed if absent",
              .range = {0, 4294967295},
              .page = HelpPage::screen},
        c.seed);
  visit(Field{.name = "sampling", .help = "how bits are drawn"}, c.sampling);
  visit(Field{.name = "tau_image",
              .help = "temperature of the first frame",
              .range = {1e-6, 100},
              .fallback = Fallback::model},
        c.tau_image);
  visit(Field{.name = "tau_video",
              .help = "temperature of the other frames",
              .range = {1e-6, 100},
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.tau_video);
}

/// Lists have one entry a scale, coarsest first.
struct ScheduleConfig {
  std::vector<int> image_repetitions;  ///< passes per scale of the image clip
  std::vector<int> video_repetitions;  ///< passes per scale of the video clips
  int semantic_scales = 0;             ///< scales of a clip that the semantic head predicts (16 bits a token)
  int detail_scale_min_tokens = 0;     ///< conditioning: scales with h w at least this have 64 bits a token
};

template <FieldsOf<ScheduleConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image_repetitions",
              .help = "passes per scale, image clip",
              .range = {1, 100},
              .fallback = Fallback::model},
        c.image_repetitions);
  visit(Field{.name = "video_repetitions",
              .help = "passes per scale, video clips",
              .range = {1, 100},
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.video_repetitions);
  visit(Field{.name = "semantic_scales",
              .help = "scales of the semantic head",
              .range = {0, 100},
              .fallback = Fallback::model},
        c.semantic_scales);
  visit(Field{.name = "detail_scale_min_tokens",
              .help = "source: detail codes from so many tokens",
              .range = {0, 100000},
              .fallback = Fallback::model},
        c.detail_scale_min_tokens);
}

}  // namespace faststar
