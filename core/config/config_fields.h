#pragma once
#include "core/config/config.h"

/// The keys, flags, ranges and help texts of all settings, section by section.
namespace faststar {

template <FieldsOf<ModelConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "model",
              .help = "model folder, or official release tree",
              .argument = "DIR",
              .other_names = "--weights",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.model);
  visit(Field{.name = "random_weights", .help = "no checkpoint; tests speed and memory", .scope = FlagScope::writing},
        c.random_weights);
}

template <FieldsOf<GenerateConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image",
              .help = "image to start from",
              .argument = "FILE",
              .scope = FlagScope::i2v,
              .page = HelpPage::screen},
        c.image);
  visit(Field{.name = "video",
              .help = "video to continue",
              .argument = "FILE",
              .scope = FlagScope::v2v | FlagScope::interact,
              .page = HelpPage::screen},
        c.video);
  visit(Field{.name = "start",
              .help = "start at this second of the video",
              .range = {0, 1e6},
              .scope = FlagScope::v2v,
              .page = HelpPage::screen},
        c.start);
  visit(Field{.name = "fit",
              .help = "aspect mismatch: crop or pad",
              .scope = FlagScope::i2v | FlagScope::v2v | FlagScope::interact | FlagScope::batch,
              .page = HelpPage::screen},
        c.fit);
  visit(Field{.name = "only_new",
              .help = "leave the input video out of the output",
              .scope = FlagScope::v2v | FlagScope::interact,
              .page = HelpPage::screen},
        c.only_new);
  visit(Field{.name = "duration",
              .help = "length of the video in seconds",
              .range = {1, 86400},
              .argument = "SECONDS",
              .scope = FlagScope::one_video | FlagScope::batch,
              .page = HelpPage::screen,
              .fallback = Fallback::model},
        c.duration);
  visit(Field{.name = "resolution", .help = "output size", .page = HelpPage::screen, .fallback = Fallback::model},
        c.resolution);
  visit(Field{.name = "aspect", .help = "aspect ratio; nearest template", .page = HelpPage::screen}, c.aspect);
  visit(Field{.name = "count",
              .help = "number of outputs; seeds count up",
              .range = {1, 10000},
              .scope = FlagScope::one_file,
              .page = HelpPage::screen},
        c.count);
  visit(Field{.name = "first_frame",
              .help = "frame 0: copy of frame 1, or kept",
              .scope = FlagScope::video | FlagScope::decode},
        c.first_frame);
}

template <FieldsOf<PromptConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "prompt",
              .help = "text prompt; - reads it from stdin",
              .other_names = "-p",
              .scope = FlagScope::one_file,
              .page = HelpPage::screen},
        c.prompt);
  visit(Field{.name = "prompt_file",
              .help = "read the prompt from a file",
              .argument = "FILE",
              .scope = FlagScope::one_file},
        c.prompt_file);
  visit(Field{.name = "negative", .help = "negative prompt"}, c.negative);
  visit(Field{.name = "prompt_suffix",
              .help = "text added after the prompt; \"\": none",
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.prompt_suffix);
  visit(Field{.name = "duration_tag",
              .help = "put <<<t=Ns>>> before the prompt",
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.duration_tag);
  visit(Field{.name = "text_limit",
              .help = "maximum prompt length in tokens",
              .range = {2, 512},
              .fallback = Fallback::model},
        c.text_limit);
}

template <FieldsOf<GuidanceSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "guidance",
              .help = "guidance scale; 1 turns guidance off",
              .range = {0, 1000},
              .fallback = Fallback::model},
        c.scale);
  visit(Field{.name = "guidance_method", .help = "guidance method", .fallback = Fallback::model}, c.method);
  visit(Field{.name = "apg_norm_threshold", .help = "APG: maximum update (RMS)", .range = {0, 1000}}, c.norm_threshold);
}

template <FieldsOf<SamplingConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(
      Field{
          .name = "seed", .help = "random seed; random if not set", .range = {0, 4294967295}, .page = HelpPage::screen},
      c.seed);
  visit(Field{.name = "sampling", .help = "how bits are sampled"}, c.sampling);
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

template <FieldsOf<ScheduleConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image_repetitions",
              .help = "passes per scale, image clip",
              .range = {1, 100},
              .fallback = Fallback::model},
        c.repetitions.image);
  visit(Field{.name = "video_repetitions",
              .help = "passes per scale, video clips",
              .range = {1, 100},
              .scope = FlagScope::video,
              .fallback = Fallback::model},
        c.repetitions.video);
  visit(Field{.name = "semantic_scales",
              .help = "scales predicted by the semantic head",
              .range = {0, 100},
              .fallback = Fallback::model},
        c.semantic_scales);
  visit(Field{.name = "detail_scale_min_tokens",
              .help = "min tokens per frame for detail codes",
              .range = {0, 100000},
              .fallback = Fallback::model},
        c.detail_scale_min_tokens);
}

template <FieldsOf<OutputConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "output",
              .help = "output file; named by prompt if not set",
              .argument = "FILE",
              .other_names = "-o",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.output);
  visit(Field{.name = "overwrite",
              .help = "overwrite existing files",
              .scope = FlagScope::one_file | FlagScope::interact | FlagScope::decode,
              .page = HelpPage::screen},
        c.overwrite);
  visit(Field{.name = "crf",
              .help = "H.264 quality: 0 best, 51 worst",
              .range = {0, 51},
              .scope = FlagScope::video | FlagScope::decode},
        c.encoding.crf);
  visit(Field{.name = "preset",
              .help = "x264 speed: ultrafast to placebo",
              .argument = "NAME",
              .scope = FlagScope::video | FlagScope::decode},
        c.encoding.preset);
  visit(
      Field{.name = "lossless", .help = "lossless video: FFV1 in .mkv", .scope = FlagScope::video | FlagScope::decode},
      c.encoding.lossless);
  visit(Field{.name = "frames_dir",
              .help = "also write every frame as PNG",
              .argument = "DIR",
              .scope = FlagScope::one_video | FlagScope::decode},
        c.frames_dir);
  visit(Field{.name = "no_metadata", .help = "do not store the settings in the file", .scope = FlagScope::writing},
        c.no_metadata);
  visit(Field{.name = "save_codes",
              .help = "also save the codes (.safetensors)",
              .argument = "FILE",
              .scope = FlagScope::one_file},
        c.save_codes);
  visit(Field{.name = "preview",
              .help = "also write a coarse preview early",
              .argument = "FILE",
              .scope = FlagScope::one_video},
        c.preview);
  visit(Field{.name = "trace",
              .help = "also save reduction scores and masks",
              .argument = "FILE",
              .scope = FlagScope::one_video},
        c.trace);
}

template <FieldsOf<RuntimeConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "device",
              .help = "cpu, cuda or cuda:N",
              .argument = "NAME",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.device);
  visit(Field{.name = "precision", .help = "default: bf16 on a GPU, fp32 on a CPU", .scope = FlagScope::writing},
        c.precision);
  visit(Field{.name = "vram",
              .help = "GPU memory limit in GB",
              .range = {0.1, 100000},
              .argument = "GB",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.vram);
  visit(Field{.name = "attention", .help = "attention implementation"}, c.attention);
  visit(Field{.name = "kernels", .help = "own CUDA kernels or LibTorch's", .scope = FlagScope::writing}, c.kernels);
  visit(Field{.name = "progress",
              .help = "auto, bar, plain, json or none",
              .argument = "STYLE",
              .scope = FlagScope::writing},
        c.progress);
  visit(
      Field{
          .name = "quiet", .help = "print only warnings and errors", .other_names = "-q", .scope = FlagScope::writing},
      c.quiet);
  visit(Field{.name = "json", .help = "print the result as JSON", .scope = FlagScope::writing}, c.json);
}

/// Calls visit(section name, section) in the order of the files we write. "a.b" is the section b inside a and follows
/// it.
template <FieldsOf<Config> Self, typename Visitor>
void visit_sections(Self& c, Visitor&& visit) {
  visit("model", c.model);
  visit("generate", c.generate);
  visit("prompt", c.prompt);
  visit("guidance", c.guidance);
  visit("sampling", c.sampling);
  visit("schedule", c.schedule);
  visit_reduction_sections(c.reduction, visit);
  visit("output", c.output);
  visit("runtime", c.runtime);
}

/// Calls visit(section name, field, member) for every setting.
template <FieldsOf<Config> Self, typename Visitor>
void visit_config(Self& config, Visitor&& visit) {
  visit_sections(config, [&](std::string_view section, auto& fields) {
    visit_fields(fields, [&](const Field& field, auto& member) { visit(section, field, member); });
  });
}

}  // namespace faststar
