#include "core/pipeline/outputs.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/media/image.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// Sets the first of "stem.mp4", "stem-2.mp4", ... that does not exist and that no other run makes.
void take_free_name(const std::string& stem, const std::string& ending, Existing existing, RequestedOutput& output) {
  for (int copy = 1;; ++copy) {
    output.file = copy == 1 ? fmt::format("./{}{}", stem, ending) : fmt::format("./{}-{}{}", stem, copy, ending);
    std::error_code ignored;
    if (existing == Existing::refuse && fs::exists(fs::symlink_status(output.file, ignored))) continue;
    check_writable(output.file, existing);
    output.claims = {NameClaim::take(output.file)};
    if (output.claims.front() || existing == Existing::replace) return;
  }
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char date[16];
  return {date, std::strftime(date, sizeof date, "%Y-%m-%d", &local)};
}

/// What names of files may hold in braces, for one of a run's outputs.
std::map<std::string_view, std::string> words_for_names(const Request& request, const RequestedOutput& output) {
  return {{"prompt", slug(request.prompt)},
          {"seed", std::to_string(output.seed)},
          {"index", std::to_string(request.outputs.size())},
          {"date", today()}};
}

/// "{prompt}-{seed}.mp4" with the words in place of their names; "{{" and "}}" are braces. `flag` is for messages.
std::string fill_in(const std::string& asked, const std::map<std::string_view, std::string>& words, const char* flag) {
  std::string name;
  for (size_t at = 0; at < asked.size(); ++at) {
    const std::string_view rest = std::string_view(asked).substr(at);
    const size_t end = rest.find('}');
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
      name += asked[at++];
    } else if (!rest.starts_with('{') || end == rest.npos) {
      name += asked[at];
    } else if (const auto word = words.find(rest.substr(1, end - 1)); word != words.end()) {
      name += word->second;
      at += end;
    } else {
      fail(ErrorKind::usage, fmt::format("{} {}: unknown name {}", flag, asked, rest.substr(0, end + 1)),
           "{prompt}, {seed}, {index} and {date} are known; {{ is a brace");
    }
  }
  return name;
}

/// The name asked for, filled in. One of several that would be the same gets its seed: "ball.mp4" -> "ball-41.mp4".
fs::path name_for(const std::string& asked, const Request& request, const RequestedOutput& output, size_t seeds,
                  const char* flag) {
  if (asked.empty()) fail(ErrorKind::usage, fmt::format("{}: expected a file name, got nothing", flag));
  const auto words = words_for_names(request, output);
  fs::path name = fill_in(asked, words, flag);
  const bool differs = asked.find("{seed}") != asked.npos || asked.find("{index}") != asked.npos;
  if (seeds == 1 || differs) return name;
  const bool is_folder = !name.has_filename();
  if (is_folder) name = name.parent_path();
  const std::string numbered = fmt::format("{}-{}{}", name.stem().string(), output.seed, name.extension().string());
  return name.parent_path() / (is_folder ? numbered + "/" : numbered);
}

/// Checks and claims the name that `output` has: of a file, or of a folder of frames.
void take_asked_name(Existing existing, RequestedOutput& output) {
  if (is_frame_folder(output.file)) {
    check_frame_folder(output.file, existing);
    output.claims = {claim_name(output.file.parent_path(), existing)};
  } else {
    check_writable(output.file, existing);
    output.claims = {claim_name(output.file, existing)};
  }
}

/// The name of a file that goes with the video; checked to be creatable and another one than the run's others.
fs::path companion(const std::string& asked, const char* flag, const Request& request, RequestedOutput& output,
                   size_t seeds) {
  const Existing existing = request.existing;
  const fs::path name = name_for(asked, request, output, seeds, flag);
  check_writable(name, existing);
  for (const auto& other : {std::optional(output.file), output.codes, output.trace}) {
    if (!other || fs::weakly_canonical(name) != fs::weakly_canonical(*other)) continue;
    fail(ErrorKind::usage, fmt::format("{} {}: another file of this run has the same name", flag, name.string()),
         "use another name for one of them");
  }
  output.claims.push_back(claim_name(name, existing));
  return name;
}

double pixels_of(const Request& request) {
  return static_cast<double>(request.size.height) * static_cast<double>(request.size.width) *
         static_cast<double>(request.frames_shown());
}

/// Bytes of the request's video when little happens in it. Measured on a 2 s clip of the embedded model in H.264
/// with crf 17: 18 kB beside 8 kB of settings and index. 6 less of crf is twice as much.
double least_video_bytes(const Request& request) {
  constexpr double kPerPixel = 0.006, kSettings = 8e3;
  constexpr int kCrf = 17;
  const double quality = std::exp2((kCrf - request.encoding.crf) / 6.0);
  return pixels_of(request) * kPerPixel * std::min(quality, 1.0) + (request.metadata ? kSettings : 0);
}

/// Least bytes of the request's files, by folder.
std::map<fs::path, double> least_bytes(const Request& request) {
  constexpr double kLossless = 0.1;  // bytes a pixel of a still scene in ffv1 and PNG
  const double pixels = pixels_of(request);
  const double codes = static_cast<double>(request.size.height * request.size.width) *
                       request.size.latent_frames;  // 64 floats for 16 x 16 pixels
  const bool lossless = request.encoding.lossless;
  std::map<fs::path, double> bytes;
  const auto add = [&](const fs::path& file, double count) {
    const fs::path named = file.has_filename() ? file : file.parent_path();
    if (!named.empty()) bytes[fs::absolute(named).parent_path()] += count;
  };
  for (const RequestedOutput& output : request.outputs) {
    add(output.file, lossless || is_frame_folder(output.file) ? pixels * kLossless : least_video_bytes(request));
    if (output.frames_dir) add(*output.frames_dir, pixels * kLossless);
    if (output.codes) add(*output.codes, codes);
  }
  return bytes;
}

}  // namespace

void check_output(const fs::path& file, const Request& request) {
  if (request.task == Task::text_to_image) return check_image_output(file);
  if (is_frame_folder(file)) return;
  check_video_output(file, format_of(request.size), request.encoding);
}

void choose_outputs(Request& request, const OutputConfig& config, const std::vector<int64_t>& seeds,
                    const std::vector<std::optional<std::string>>& inputs) {
  const bool picture = request.task == Task::text_to_image;
  const std::string ending = picture ? ".png" : config.encoding.lossless ? ".mkv" : ".mp4";
  request.existing = replace_if(config.overwrite);
  request.outputs.clear();
  for (const int64_t seed : seeds) {
    RequestedOutput output{.seed = seed};
    if (!request.setup.group->is_first()) {
      output.file = "unwritten" + ending;
      if (!picture && config.preview) output.preview = output.file;
      request.outputs.push_back(std::move(output));
      continue;
    }
    if (config.output) {
      output.file = name_for(*config.output, request, output, seeds.size(), "--output");
      check_output(output.file, request);
      take_asked_name(request.existing, output);
    } else {
      take_free_name(fmt::format("{}-{}", slug(request.prompt), seed), ending, request.existing, output);
      check_output(output.file, request);
    }
    const auto name_companion = [&](const std::optional<std::string>& asked, const char* flag) {
      return asked ? std::optional(companion(*asked, flag, request, output, seeds.size())) : std::nullopt;
    };
    output.codes = name_companion(config.save_codes, "--save-codes");
    output.trace = name_companion(config.trace, "--trace");
    if (!picture) output.preview = name_companion(config.preview, "--preview");
    if (config.frames_dir && !picture) {
      output.frames_dir = name_for(*config.frames_dir, request, output, seeds.size(), "--frames-dir");
      check_frame_folder(*output.frames_dir, request.existing);
    }
    for (const auto& file : {std::optional(output.file), output.codes, output.trace, output.preview}) {
      if (file) spare_inputs(*file, inputs);
    }
    request.outputs.push_back(std::move(output));
  }
}

void warn_about_crf(const fs::path& video, const VideoEncoding& encoding) {
  if (encoding.crf > 0 || !video_use(video, encoding).preset) return;
  log::warn("--crf 0 makes lossless H.264, which browsers and QuickTime do not play; --crf 1 looks the same");
}

void spare_inputs(const fs::path& output, const std::vector<std::optional<std::string>>& inputs) {
  for (const auto& input : inputs) {
    std::error_code absent;
    if (!input || !fs::equivalent(output, *input, absent)) continue;
    fail(ErrorKind::usage, fmt::format("{}: is an input of this run and cannot be its output", output.string()),
         "use another output file");
  }
}

double ample_bytes(const Request& request) {
  constexpr double kPerPixel = 3;  // uncompressed; noise takes 2.8 losslessly, and 0.4 in H.264 with crf 17
  return pixels_of(request) * kPerPixel;
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

int preview_scale(const Schedule& schedule) {
  constexpr double kShareOfHeight = 0.4;
  const int height = schedule.scales()[static_cast<size_t>(schedule.scales_per_clip()) - 1].h;
  int scale = 0;
  while (schedule.scales()[static_cast<size_t>(scale)].h < kShareOfHeight * height) ++scale;
  return scale;
}

}  // namespace faststar
