#include "core/pipeline/outputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/media/image.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

fs::path free_name(const std::string& stem, const std::string& ending, Existing existing) {
  fs::path name = fmt::format("./{}{}", stem, ending);
  std::error_code ignored;
  for (int copy = 2; existing == Existing::refuse && fs::exists(fs::symlink_status(name, ignored)); ++copy) {
    name = fmt::format("./{}-{}{}", stem, copy, ending);
  }
  return name;
}

/// The name asked for; one of several gets its seed: "ball.mp4" -> "ball-41.mp4".
fs::path name_for_seed(const fs::path& asked, int64_t seed, size_t seeds) {
  if (seeds == 1) return asked;
  return asked.parent_path() / fmt::format("{}-{}{}", asked.stem().string(), seed, asked.extension().string());
}

/// The name of a file that goes with the video; checked to be creatable and another one than the run's others.
fs::path companion(const std::string& asked, const char* flag, const RequestedOutput& output, size_t seeds,
                   Existing existing) {
  const fs::path name = name_for_seed(asked, output.seed, seeds);
  check_writable(name, existing);
  for (const auto& other : {std::optional(output.file), output.codes, output.trace}) {
    if (!other || fs::weakly_canonical(name) != fs::weakly_canonical(*other)) continue;
    fail(ErrorKind::usage, fmt::format("{} {}: another file of this run has the same name", flag, name.string()),
         "use another name for one of them");
  }
  return name;
}

/// Least bytes of the request's files, by folder.
std::map<fs::path, double> least_bytes(const Request& request) {
  // Bytes a pixel of a still scene in H.264, ffv1 and PNG.
  constexpr double kH264 = 0.002, kLossless = 0.1;
  const double pixels_a_frame = static_cast<double>(request.size.height) * static_cast<double>(request.size.width);
  const double pixels = pixels_a_frame * static_cast<double>(request.frames_shown());
  const double codes = pixels_a_frame * request.size.latent_frames;  // 64 floats for 16 x 16 pixels
  const bool lossless = request.encoding.lossless;
  std::map<fs::path, double> bytes;
  const auto add = [&](const fs::path& file, double count) {
    if (!file.empty()) bytes[fs::absolute(file).parent_path()] += count;
  };
  for (const RequestedOutput& output : request.outputs) {
    add(output.file, pixels * (lossless ? kLossless : kH264));
    if (output.frames_dir) add(*output.frames_dir, pixels * kLossless);
    if (output.codes) add(*output.codes, codes);
  }
  return bytes;
}

}  // namespace

std::vector<RequestedOutput> choose_outputs(const Request& request, const OutputConfig& config,
                                            const std::vector<int64_t>& seeds,
                                            const std::vector<std::optional<std::string>>& inputs) {
  const bool picture = request.task == Task::text_to_image;
  const std::string ending = picture ? ".png" : config.encoding.lossless ? ".mkv" : ".mp4";
  const Existing existing = replace_if(config.overwrite);
  std::vector<RequestedOutput> outputs;
  for (const int64_t seed : seeds) {
    RequestedOutput& output = outputs.emplace_back();
    output.seed = seed;
    output.file = config.output ? name_for_seed(*config.output, seed, seeds.size())
                                : free_name(fmt::format("{}-{}", slug(request.prompt), seed), ending, existing);
    check_writable(output.file, existing);
    const auto name_companion = [&](const std::optional<std::string>& asked, const char* flag) {
      return asked ? std::optional(companion(*asked, flag, output, seeds.size(), existing)) : std::nullopt;
    };
    output.codes = name_companion(config.save_codes, "--save-codes");
    output.trace = name_companion(config.trace, "--trace");
    if (!picture) output.preview = name_companion(config.preview, "--preview");
    if (config.frames_dir && !picture) {
      output.frames_dir = name_for_seed(*config.frames_dir, seed, seeds.size());
      check_frame_folder(*output.frames_dir, existing);
    }
  }
  for (const RequestedOutput& output : outputs) {
    for (const auto& file : {std::optional(output.file), output.codes, output.trace, output.preview}) {
      if (file) spare_inputs(*file, inputs);
    }
    if (picture) {
      check_image_output(output.file);
    } else {
      check_video_output(output.file, format_of(request.size), request.encoding);
    }
  }
  return outputs;
}

void spare_inputs(const fs::path& output, const std::vector<std::optional<std::string>>& inputs) {
  for (const auto& input : inputs) {
    std::error_code absent;
    if (!input || !fs::equivalent(output, *input, absent)) continue;
    fail(ErrorKind::usage, fmt::format("{}: is an input of this run and cannot be its output", output.string()),
         "use another output file");
  }
}

void check_disk_space(const Request& request) {
  constexpr double kKilobyte = 1e3;
  for (const auto& [folder, needed] : least_bytes(request)) {
    std::error_code unknown;  // then writing tells
    const auto available = static_cast<double>(fs::space(folder, unknown).available);
    if (unknown || available >= needed) continue;
    fail(ErrorKind::output,
         fmt::format("{}: the disk is full: at least {:.0f} kB needed, {:.0f} kB free", folder.string(),
                     needed / kKilobyte, available / kKilobyte),
         "use -o to write to another disk");
  }
}

VideoFormat format_of(const VideoSize& size) {
  return {.width = static_cast<int>(size.width), .height = static_cast<int>(size.height)};
}

}  // namespace faststar
