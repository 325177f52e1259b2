#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/device.h"
#include "core/config/fields.h"
#include "core/config/reduction.h"
#include "core/media/resize.h"
#include "core/media/video_writer.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/quantize.h"
#include "core/model/star/attention.h"
#include "core/model/star/guidance.h"
#include "core/model/vae/video_vae.h"

/// Every setting of the making commands. An empty std::optional means "decide for me". config_fields.h lists the keys,
/// flags, ranges and help texts.
namespace faststar {

/// Size of a video, named by the height of its 16:9 form.
enum class Resolution { p192, p384, p480, p720 };

/// The official name of a size: `pn` of infinity/schedules/dynamic_resolution.py.
inline std::string pn_of(Resolution resolution) {
  constexpr std::array kPn = {"0.06M", "0.25M", "0.40M", "0.90M"};
  return kPn[static_cast<size_t>(resolution)];
}

/// Width : height, as in 16:9.
struct Aspect {
  int width = 16;
  int height = 9;
  bool operator==(const Aspect&) const = default;
};

/// A length in whole seconds: 16 frames, or 4 latent frames, each.
struct Seconds {
  int count = 0;
  bool operator==(const Seconds&) const = default;
};

inline constexpr int kLatentFramesPerSecond = 4;

/// Latent frames of a video: the first frame has one of its own.
constexpr int latent_frames_of(Seconds duration) { return kLatentFramesPerSecond * duration.count + 1; }

struct ModelConfig {
  std::optional<std::string> model;  ///< a model folder or the official release tree; none: the embedded model
  bool random_weights = false;       ///< generated weights: right speed and memory, meaningless pictures
};

struct GenerateConfig {
  std::optional<std::string> image;  ///< first frame of an image-to-video run, in any common format
  std::optional<std::string> video;  ///< the video to continue, in any common format
  double start = 0;                  ///< second of `video` at which the part to continue begins
  Fit fit = Fit::crop;               ///< how an `image` or `video` of another aspect ratio is fitted
  bool only_new = false;             ///< leave the frames of `video` out of the result
  Seconds duration;                  ///< frames = 16 s + 1
  Resolution resolution = Resolution::p720;
  Aspect aspect;  ///< the nearest template of the schedule is used
  int count = 1;  ///< outputs for one prompt, with seeds seed, seed + 1, ...
  FirstFrame first_frame = FirstFrame::copy;
};

struct PromptConfig {
  std::optional<std::string> prompt;       ///< UTF-8
  std::optional<std::string> prompt_file;  ///< a file that holds the prompt
  std::optional<std::string> negative;     ///< negative prompt; none: the learned unconditional text
  std::string prompt_suffix;               ///< appended to the prompt of a video
  bool duration_tag = false;               ///< `<<<t=5s>>>` before the prompt of a video
  int text_limit = 512;                    ///< tokens, end token included; longer prompts are cut
};

struct SamplingConfig {
  std::optional<int64_t> seed;  ///< 0 to 2^32 - 1; none: a random one, printed and recorded
  Sampling sampling = Sampling::philox;
  double tau_image = 1;  ///< temperature of the image clip
  double tau_video = 1;  ///< temperature of the video clips
};

struct ScheduleConfig {
  Repetitions repetitions;            ///< passes per scale
  std::vector<int> last_repetitions;  ///< of the last scales of video clips, in place of theirs; none: theirs
  int semantic_scales = 0;            ///< scales of a clip that the semantic head predicts (16 bits a token)
  int detail_scale_min_tokens = 0;    ///< conditioning: scales with h w at least this have 64 bits a token
};

struct OutputConfig {
  std::optional<std::string> output;  ///< the file; none: a name from prompt and seed
  bool overwrite = false;             ///< replace existing files
  VideoEncoding encoding;
  std::optional<std::string> frames_dir;  ///< also write every frame as PNG to this folder
  bool no_metadata = false;               ///< do not store the settings in the file
  std::optional<std::string> save_codes;  ///< also write the accumulated features (.safetensors)
  std::optional<std::string> preview;     ///< also write a coarse video while the rest is generated
  std::optional<std::string> trace;       ///< also write scores and masks of the reduction (.safetensors)
};

/// fp8: as bf16, but the linear layers of the transformer multiply in E4M3 (RuntimeConfig::fp8_scales).
enum class Precision { fp32, bf16, fp8 };

constexpr at::ScalarType dtype_of(Precision precision) {
  return precision == Precision::fp32 ? at::kFloat : at::kBFloat16;
}

/// How progress is shown on stderr; `automatic` is a bar on a terminal, else plain lines.
enum class ProgressStyle { automatic, bar, plain, json, none };

struct RuntimeConfig {
  std::optional<std::string> device;      ///< cpu, cuda or cuda:N; none: the first GPU, else the CPU
  std::optional<Precision> precision;     ///< of the transformer; none: bf16 on a GPU, fp32 on a CPU
  std::optional<ScaleChoice> fp8_scales;  ///< that fp8 is for, in video clips; none: every pass of every clip
  std::optional<double> vram;             ///< GPU memory limit in GB = 10^9 bytes; none: all that is free
  AttentionBackend attention = AttentionBackend::automatic;
  AttentionPrecision attention_precision = AttentionPrecision::automatic;
  Kernels kernels = Kernels::automatic;  ///< reference: plain ATen instead of our CUDA kernels
  ProgressStyle progress = ProgressStyle::automatic;
  bool quiet = false;  ///< only warnings and errors
  bool json = false;   ///< print the result as JSON on stdout
};

/// The weights that the transformer's linear layers need.
inline LinearPrecision linears_of(const RuntimeConfig& runtime) {
  if (runtime.precision != Precision::fp8) return LinearPrecision::backbone;
  return runtime.fp8_scales ? LinearPrecision::both : LinearPrecision::fp8;
}

/// By YAML section.
struct Config {
  ModelConfig model;
  GenerateConfig generate;
  PromptConfig prompt;
  GuidanceSettings guidance{.scale = 1};
  SamplingConfig sampling;
  ScheduleConfig schedule;
  ReductionConfig reduction;
  OutputConfig output;
  RuntimeConfig runtime;
};

constexpr auto choice_words(Resolution) { return word_list("192p", "384p", "480p", "720p"); }
constexpr auto choice_words(FirstFrame) { return word_list("copy", "keep"); }
constexpr auto choice_words(Fit) { return word_list("crop", "pad"); }
constexpr auto choice_words(GuidanceMethod) { return word_list("apg", "cfg"); }
constexpr auto choice_words(GuidanceReuse) { return word_list("none", "repetitions", "late", "full"); }
constexpr auto choice_words(Sampling) { return word_list("philox", "greedy"); }
constexpr auto choice_words(H264Preset) { return kH264Presets; }
constexpr auto choice_words(Precision) { return word_list("fp32", "bf16", "fp8"); }
constexpr auto choice_words(AttentionBackend) { return word_list("auto", "fa3", "cudnn", "aten"); }
constexpr auto choice_words(AttentionPrecision) { return word_list("auto", "bf16", "fp8"); }
constexpr auto choice_words(Kernels) { return word_list("auto", "reference"); }
constexpr auto choice_words(ProgressStyle) { return word_list("auto", "bar", "plain", "json", "none"); }

}  // namespace faststar
