#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/atomic_file.h"
#include "core/base/device.h"
#include "core/base/log.h"
#include "core/base/weights/weights.h"
#include "core/lab/metrics/fidelity.h"
#include "core/lab/metrics/lpips.h"
#include "core/media/frame_source.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/resize.h"
#include "core/media/video_writer.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/same_work.h"

namespace faststar {
namespace {

struct CompareCommand {
  std::string a, b;
  int64_t skip = 0;
  bool json = false;
  std::string csv, side_by_side;
  bool overwrite = false;
  std::string lpips_backbone, lpips_linear;
  std::string device;

  Existing existing() const { return replace_if(overwrite); }
};

/// Throws Error unless the two files can be compared frame by frame.
void check_pair(const CompareCommand& command, const FrameSource& a, const FrameSource& b) {
  const PixelSize of_a = a.size(), of_b = b.size();
  if (of_a.width != of_b.width || of_a.height != of_b.height) {
    fail(ErrorKind::input, fmt::format("{}: expected frames of {}x{} as in {}, got {}x{}", command.b, of_a.width,
                                       of_a.height, command.a, of_b.width, of_b.height));
  }
  if (a.frames() != b.frames()) {
    fail(ErrorKind::input,
         fmt::format("{}: expected {} frames as in {}, got {}", command.b, a.frames(), command.a, b.frames()));
  }
  if (command.skip >= a.frames()) {
    fail(ErrorKind::usage,
         fmt::format("--skip {}: expected less than the number of frames, {}", command.skip, a.frames()));
  }
  const std::optional<double> fps_a = a.fps(), fps_b = b.fps();
  if (fps_a && fps_b && *fps_a != *fps_b) {
    log::info("frame rates differ ({:g} and {:g} fps): frames are compared by number, not by time", *fps_a, *fps_b);
  }
}

Weights open_lpips_weights(const char* flag, const std::string& path, at::Device device) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) fail(ErrorKind::model, fmt::format("{} {}: no such file", flag, path));
  return {open_checkpoint(path), device, at::kFloat};
}

std::optional<Lpips> open_lpips(const CompareCommand& command, at::Device device) {
  if (command.lpips_backbone.empty() != command.lpips_linear.empty()) {
    fail(ErrorKind::usage, "LPIPS: expected both --lpips-backbone and --lpips-linear, got one of them");
  }
  if (command.lpips_backbone.empty()) return std::nullopt;
  const Weights backbone = open_lpips_weights("--lpips-backbone", command.lpips_backbone, device);
  return Lpips(backbone, open_lpips_weights("--lpips-linear", command.lpips_linear, device));
}

/// Of the compared frames, in order.
using Fidelities = std::vector<FrameFidelity>;

/// The video of --side-by-side; null without it, and for two pictures, whose file is a picture too.
std::unique_ptr<FrameSink> side_by_side_video(const CompareCommand& command, const FrameSource& a,
                                              const FrameSource& b) {
  if (command.side_by_side.empty()) return nullptr;
  if (!a.fps() && !b.fps()) {
    check_image_output(command.side_by_side);
    return nullptr;
  }
  const double fps = a.fps().value_or(b.fps().value_or(1));
  const VideoFormat format = video_format(side_by_side_size(a.size()), fps);
  return make_video_writer(command.side_by_side, format, VideoEncoding{}, VideoExtras{}, command.existing());
}

Fidelities measure(const CompareCommand& command, FrameSource& source_a, FrameSource& source_b, const Lpips* lpips,
                   at::Device device) {
  const auto video = side_by_side_video(command, source_a, source_b);
  Fidelities compared;
  for (int64_t number = 0; number < source_a.frames(); ++number) {
    const auto a = source_a.next(), b = source_b.next();
    if (!a || !b) {
      fail(ErrorKind::input,
           fmt::format("{}: ends after {} frames, expected {}", a ? command.b : command.a, number, source_a.frames()));
    }
    if (video) {
      video->write(side_by_side(*a, *b).unsqueeze(0));
    } else if (!command.side_by_side.empty()) {
      write_image(command.side_by_side, side_by_side(*a, *b), "", command.existing());
    }
    if (number < command.skip) continue;
    const auto fidelity = measure_fidelity(a->unsqueeze(0).to(device), b->unsqueeze(0).to(device), lpips);
    compared.push_back(fidelity.front());
  }
  if (video) video->finish();
  return compared;
}

std::string row(const char* metric, const std::string& mean, const std::string& worst) {
  return fmt::format("{:<12} {:<12} {}\n", metric, mean, worst);
}

std::string decibels(double psnr) { return fmt::format("{:.2f} dB", psnr); }
std::string four_places(double value) { return fmt::format("{:.4f}", value); }

enum class Worst { smallest, largest };

/// A row with the mean of a metric and its value at the worst of `frames`, which begin at frame `first` of the file.
template <typename Metric, typename Text>
std::string metric_row(const char* name, double mean, const Fidelities& frames, int64_t first, Worst which,
                       Metric&& metric, Text&& text) {
  const auto worst = which == Worst::smallest ? std::ranges::min_element(frames, {}, metric)
                                              : std::ranges::max_element(frames, {}, metric);
  return row(name, text(mean),
             fmt::format("worst {} at frame {}", text(std::invoke(metric, *worst)), first + (worst - frames.begin())));
}

/// Seconds of the transformer passes, as recorded in a file made by faststar.
std::optional<double> token_seconds(const std::filesystem::path& file) {
  const auto provenance = read_provenance(file);
  if (!provenance || provenance->run_json.empty()) return std::nullopt;
  const auto seconds = recorded(nlohmann::json::parse(provenance->run_json), "seconds", "tokens");
  return seconds.is_number() ? std::optional(seconds.get<double>()) : std::nullopt;
}

/// False, with a warning, when both files say how they were made and that is not the same video.
bool are_versions_of_one(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto of_a = read_provenance(a), of_b = read_provenance(b);
  if (!of_a || !of_b) return true;
  const auto apart = settings_apart(of_a->settings_json, of_b->settings_json);
  if (apart.empty()) return true;
  log::warn("{} and {} are not versions of one video: they differ in {}", a.string(), b.string(),
            fmt::join(apart, ", "));
  return false;
}

/// The row of those seconds; empty when a file does not record them.
std::string time_row(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto of_a = token_seconds(a), of_b = token_seconds(b);
  if (!of_a || !of_b || *of_b <= 0) return "";
  return row("transformer", fmt::format("{:.1f} s", *of_a),
             fmt::format("{:.1f} s, {:.2f}x as fast", *of_b, *of_a / *of_b));
}

/// CSV with the columns `frame,psnr,ssim,lpips`; the PSNR of an identical frame is `inf`, LPIPS without weights is
/// empty.
std::string fidelity_csv(const Fidelities& frames, int64_t first) {
  std::string csv = "frame,psnr,ssim,lpips\n";
  for (const FrameFidelity& frame : frames) {
    csv += fmt::format("{},{:.6f},{:.6f},{}\n", first++, psnr(frame.mse), frame.ssim,
                       frame.lpips ? fmt::format("{:.6f}", *frame.lpips) : "");
  }
  return csv;
}

/// The table for the terminal: mean and worst frame of each metric, and the pooled PSNR.
std::string fidelity_table(const Fidelities& frames, int64_t first, PixelSize size) {
  const VideoFidelity fidelity = summarize_fidelity(frames);
  const PsnrSummary& summary = fidelity.psnr;
  std::string table = fmt::format("{} frame{}", frames.size(), frames.size() == 1 ? "" : "s");
  if (first > 0) table += fmt::format(" from frame {}", first);
  table += fmt::format(", {}x{}", size.width, size.height);
  const int64_t identical = summary.identical_frames;
  table += identical > 0 ? fmt::format(", {} identical (not in the mean PSNR)\n", identical) : "\n";
  if (summary.mean && summary.pooled) {
    table += row("PSNR pooled", decibels(*summary.pooled), "MSE averaged over all frames");
    const auto metric = [](const FrameFidelity& frame) { return psnr(frame.mse); };
    table += metric_row("PSNR mean", *summary.mean, frames, first, Worst::smallest, metric, decibels);
  } else {
    table += row("PSNR", "infinite", "all frames are identical");
  }
  table +=
      metric_row("SSIM mean", fidelity.ssim_mean, frames, first, Worst::smallest, &FrameFidelity::ssim, four_places);
  if (!fidelity.lpips_mean) return table + row("LPIPS mean", "n/a", "needs --lpips-backbone and --lpips-linear");
  const auto lpips = [](const FrameFidelity& frame) { return frame.lpips.value_or(0); };
  return table + metric_row("LPIPS mean", *fidelity.lpips_mean, frames, first, Worst::largest, lpips, four_places);
}

void check_outputs(const CompareCommand& command) {
  for (const std::string& file : {command.csv, command.side_by_side}) {
    if (file.empty()) continue;
    check_writable(file, command.existing());
    spare_inputs(file, {command.a, command.b});
  }
}

int run_compare(const CompareCommand& command) {
  if (command.skip < 0) fail(ErrorKind::usage, fmt::format("--skip {}: expected 0 or more", command.skip));
  check_outputs(command);
  FrameSource a(command.a), b(command.b);
  check_pair(command, a, b);
  const bool comparable = are_versions_of_one(command.a, command.b);
  set_up_backends();
  const at::Device device = pick_device(command.device);
  const auto lpips = open_lpips(command, device);
  const Fidelities frames = measure(command, a, b, lpips ? &*lpips : nullptr, device);
  if (!command.csv.empty()) write_file(command.csv, fidelity_csv(frames, command.skip), command.existing());
  print_result(command.json ? to_json(summarize_fidelity(frames)) + "\n"
                            : fidelity_table(frames, command.skip, a.size()) +
                                  (comparable ? time_row(command.a, command.b) : ""));
  const bool starts_alike = command.skip == 0 && frames.size() > 1 && frames.front().mse == 0;
  if (starts_alike) log::info("frame 0 is identical in both files; --skip 1 leaves it out");
  return 0;
}

}  // namespace

Command add_compare(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compare", "difference of two videos or pictures: PSNR, SSIM, LPIPS");
  const auto options = std::make_shared<CompareCommand>();
  command->add_option("A", options->a, "")->required();
  command->add_option("B", options->b, "")->required();
  add_command_option(*command, "skip", options->skip, "N", "ignore the first N frames (0)");
  add_command_option(*command, "json", options->json, "", "print the result as JSON");
  add_command_option(*command, "csv", options->csv, "FILE", "write the values of every frame");
  add_command_option(*command, "side_by_side", options->side_by_side, "FILE", "write a file with A left, B right");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace files that exist");
  add_command_option(*command, "lpips_backbone", options->lpips_backbone, "FILE", "torchvision's alexnet or vgg16");
  add_command_option(*command, "lpips_linear", options->lpips_linear, "FILE",
                     "the lpips package's alex.pth or vgg.pth");
  add_command_option(*command, "device", options->device, "NAME", "cpu, cuda or cuda:N");
  return {command, [options] { return run_compare(*options); }};
}

}  // namespace faststar
