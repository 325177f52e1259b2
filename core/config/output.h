#pragma once
#include <array>
#include <optional>
#include <string>

#include "core/config/fields.h"

namespace faststar {

/// Speed against size of libx264.
enum class H264Preset { ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow, placebo };
template <>
struct Choices<H264Preset> {
  static constexpr std::array<std::string_view, 10> names = {
      "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"};
};

/// What is written, and how.
struct OutputConfig {
  std::optional<std::string> output;       ///< the file; none: a name from prompt and seed
  bool overwrite = false;                  ///< replace what has that name
  int crf = 17;                            ///< H.264 constant rate factor: 0 best, 51 worst
  H264Preset preset = H264Preset::medium;  ///< slower makes smaller files
  bool lossless = false;                   ///< ffv1 in .mkv instead of H.264 in .mp4
  std::optional<std::string> frames_dir;   ///< also every frame as PNG in this folder
  bool no_metadata = false;                ///< leave the settings out of the file
  std::optional<std::string> save_codes;   ///< also the summed codes (.safetensors)
  std::optional<std::string> preview;      ///< also a video of the coarse accumulated features, while the rest is made
  std::optional<std::string> trace;        ///< also what reduction decided, step by step (.safetensors)
};

template <FieldsOf<OutputConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "output",
              .help = "the file; else named by prompt and seed",
              .argument = "FILE",
              .other_names = "-o",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.output);
  visit(Field{.name = "overwrite",
              .help = "replace an existing file",
              .scope = FlagScope::one_file | FlagScope::interact | FlagScope::decode,
              .page = HelpPage::screen},
        c.overwrite);
  visit(Field{.name = "crf",
              .help = "H.264 quality, 0 best, 51 worst",
              .range = {0, 51},
              .scope = FlagScope::video | FlagScope::decode},
        c.crf);
  visit(Field{.name = "preset",
              .help = "x264 speed: ultrafast to placebo",
              .argument = "NAME",
              .scope = FlagScope::video | FlagScope::decode},
        c.preset);
  visit(Field{.name = "lossless", .help = "ffv1 in .mkv", .scope = FlagScope::video | FlagScope::decode}, c.lossless);
  visit(Field{.name = "frames_dir",
              .help = "also write every frame as PNG there",
              .argument = "DIR",
              .scope = FlagScope::one_video | FlagScope::decode},
        c.frames_dir);
  visit(Field{.name = "no_metadata", .help = "leave the settings out of the file", .scope = FlagScope::writing},
        c.no_metadata);
  visit(Field{.name = "save_codes",
              .help = "also write the codes (.safetensors)",
              .argument = "FILE",
              .scope = FlagScope::one_file},
        c.save_codes);
  visit(
      Field{
          .name = "preview", .help = "show a coarse version early", .argument = "FILE", .scope = FlagScope::one_video},
      c.preview);
  visit(Field{.name = "trace",
              .help = "also reduction's maps and masks",
              .argument = "FILE",
              .scope = FlagScope::one_video},
        c.trace);
}

}  // namespace faststar
