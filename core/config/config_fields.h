#pragma once
#include "core/config/config.h"

/// The keys, flags, ranges and help texts of all settings, section by section.
namespace faststar {

template <FieldsOf<ModelConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "model",
         .help = "model folder, or official release tree",
         .argument = "DIR",
         .other_names = "--weights",
         .scope = writing,
         .basic = true},
        c.model);
  visit({.name = "random_weights", .help = "no checkpoint; tests speed and memory", .scope = writing},
        c.random_weights);
}

template <FieldsOf<GenerateConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "image", .help = "image to start from", .argument = "FILE", .scope = i2v, .basic = true}, c.image);
  visit({.name = "video", .help = "video to continue", .argument = "FILE", .scope = v2v | interact, .basic = true},
        c.video);
  visit({.name = "start", .help = "start at this second of the video", .range = {0, 1e6}, .scope = v2v, .basic = true},
        c.start);
  visit({.name = "fit", .help = "aspect mismatch: crop or pad", .scope = i2v | v2v | interact | batch, .basic = true},
        c.fit);
  visit({.name = "only_new", .help = "leave the input video out of the output", .scope = v2v | interact, .basic = true},
        c.only_new);
  visit({.name = "duration",
         .help = "length of the video in seconds",
         .range = {1, 86400},
         .argument = "SECONDS",
         .scope = one_video | batch,
         .basic = true,
         .from_model = true},
        c.duration);
  visit({.name = "resolution", .help = "output size", .basic = true, .from_model = true}, c.resolution);
  visit({.name = "aspect", .help = "aspect ratio; nearest template", .basic = true}, c.aspect);
  visit({.name = "count",
         .help = "number of outputs; seeds count up",
         .range = {1, 10000},
         .scope = one_file,
         .basic = true},
        c.count);
  visit({.name = "first_frame", .help = "frame 0: copy of frame 1, or kept", .scope = video | decode}, c.first_frame);
}

template <FieldsOf<PromptConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "prompt",
         .help = "text prompt; - reads it from stdin",
         .other_names = "-p",
         .scope = one_file,
         .basic = true},
        c.prompt);
  visit({.name = "prompt_file", .help = "read the prompt from a file", .argument = "FILE", .scope = one_file},
        c.prompt_file);
  visit({.name = "negative", .help = "negative prompt"}, c.negative);
  visit(
      {.name = "prompt_suffix", .help = "text added after the prompt; \"\": none", .scope = video, .from_model = true},
      c.prompt_suffix);
  visit({.name = "duration_tag", .help = "put <<<t=Ns>>> before the prompt", .scope = video, .from_model = true},
        c.duration_tag);
  visit({.name = "text_limit", .help = "maximum prompt length in tokens", .range = {2, 512}, .from_model = true},
        c.text_limit);
}

template <FieldsOf<GuidanceSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "guidance", .help = "guidance scale; 1 turns guidance off", .range = {0, 1000}, .from_model = true},
        c.scale);
  visit({.name = "guidance_method", .help = "guidance method", .from_model = true}, c.method);
  visit({.name = "apg_norm_threshold", .help = "APG: maximum update (RMS)", .range = {0, 1000}}, c.norm_threshold);
  visit({.name = "guidance_reuse", .help = "none, repetitions, late or full", .argument = "PASSES", .scope = video},
        c.reuse.passes);
  visit({.name = "guidance_reuse_scales", .help = "lastN, or a list of scales", .scope = video}, c.reuse.scales);
  visit(
      {.name = "guidance_reuse_weight", .help = "weight of reused guidance; 0: drop", .range = {0, 10}, .scope = video},
      c.reuse.weight);
}

template <FieldsOf<SamplingConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "seed", .help = "random seed; random if not set", .range = {0, 4294967295}, .basic = true}, c.seed);
  visit({.name = "sampling", .help = "how bits are sampled"}, c.sampling);
  visit({.name = "tau_image", .help = "temperature of the first frame", .range = {1e-6, 100}, .from_model = true},
        c.tau_image);
  visit({.name = "tau_video",
         .help = "temperature of the other frames",
         .range = {1e-6, 100},
         .scope = video,
         .from_model = true},
        c.tau_video);
}

template <FieldsOf<ScheduleConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "image_repetitions", .help = "passes per scale, image clip", .range = {1, 100}, .from_model = true},
        c.repetitions.image);
  visit({.name = "video_repetitions",
         .help = "passes per scale, video clips",
         .range = {1, 100},
         .scope = video,
         .from_model = true},
        c.repetitions.video);
  visit(
      {.name = "last_repetitions", .help = "passes of the last scales, video clips", .range = {1, 100}, .scope = video},
      c.last_repetitions);
  visit({.name = "semantic_scales",
         .help = "scales predicted by the semantic head",
         .range = {0, 100},
         .from_model = true},
        c.semantic_scales);
  visit({.name = "detail_scale_min_tokens",
         .help = "min tokens per frame for detail codes",
         .range = {0, 100000},
         .from_model = true},
        c.detail_scale_min_tokens);
}

template <FieldsOf<OutputConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "output",
         .help = "output file; named by prompt if not set",
         .argument = "FILE",
         .other_names = "-o",
         .scope = writing,
         .basic = true},
        c.output);
  visit({.name = "overwrite", .help = "overwrite existing files", .scope = one_file | interact | decode, .basic = true},
        c.overwrite);
  visit({.name = "crf", .help = "H.264 quality: 0 best, 51 worst", .range = {0, 51}, .scope = video | decode},
        c.encoding.crf);
  visit({.name = "preset", .help = "x264 speed: ultrafast to placebo", .argument = "NAME", .scope = video | decode},
        c.encoding.preset);
  visit({.name = "lossless", .help = "lossless video: FFV1 in .mkv", .scope = video | decode}, c.encoding.lossless);
  visit({.name = "frames_dir", .help = "also write every frame as PNG", .argument = "DIR", .scope = one_video | decode},
        c.frames_dir);
  visit({.name = "no_metadata", .help = "do not store the settings in the file", .scope = writing}, c.no_metadata);
  visit({.name = "save_codes", .help = "also save the codes (.safetensors)", .argument = "FILE", .scope = one_file},
        c.save_codes);
  visit({.name = "preview", .help = "also write an early, coarse preview", .argument = "FILE", .scope = one_video},
        c.preview);
  visit({.name = "trace", .help = "also save reduction scores and masks", .argument = "FILE", .scope = one_video},
        c.trace);
}

template <FieldsOf<RuntimeConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  using enum FlagScope;
  visit({.name = "device", .help = "cpu, cuda or cuda:N", .argument = "NAME", .scope = writing, .basic = true},
        c.device);
  visit({.name = "precision", .help = "default: bf16 on a GPU, fp32 on a CPU", .scope = writing}, c.precision);
  visit({.name = "fp8_scales", .help = "lastN, a list, or all (all)", .scope = video}, c.fp8_scales);
  visit({.name = "vram",
         .help = "GPU memory limit in GB",
         .range = {0.1, 100000},
         .argument = "GB",
         .scope = writing,
         .basic = true},
        c.vram);
  visit({.name = "attention", .help = "attention implementation"}, c.attention);
  visit({.name = "attention_precision", .help = "fp8 needs FlashAttention-3"}, c.attention_precision);
  visit({.name = "kernels", .help = "fast operations, or LibTorch's own", .scope = writing}, c.kernels);
  visit({.name = "progress", .help = "auto, bar, plain, json or none", .argument = "STYLE", .scope = writing},
        c.progress);
  visit({.name = "quiet", .help = "print only warnings and errors", .other_names = "-q", .scope = writing}, c.quiet);
  visit({.name = "json", .help = "print the result as JSON", .scope = writing}, c.json);
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
  visit("reduction", c.reduction);
  visit("reduction.faststar", c.reduction.faststar);
  visit("reduction.fastvar", c.reduction.fastvar);
  visit("reduction.sparsevar", c.reduction.sparsevar);
  visit("reduction.tome", c.reduction.tome);
  visit("reduction.stepvar", c.reduction.stepvar);
  visit("reduction.random", c.reduction.random);
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
