#include "core/lab/metrics/file_comparison.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/device.h"
#include "core/base/log.h"
#include "core/base/weights/weights.h"
#include "core/config/settings.h"
#include "core/lab/metrics/lpips.h"
#include "core/lab/metrics/same_work.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/video_writer.h"

namespace faststar {
namespace {

constexpr int64_t kGap = 8;       // pixels
constexpr int64_t kGapGrey = 32;  // level

/// The size of side_by_side of two pictures of this size.
PixelSize side_by_side_size(PixelSize frame) { return {frame.height + frame.height % 2, 2 * frame.width + kGap}; }

/// `a` left and `b` right (uint8 [H, W, 3] each, one shape), a dark gap between them; uint8
/// [side_by_side_size, 3], both sides even as H.264 wants them.
Tensor side_by_side(const Tensor& a, const Tensor& b) {
  const int64_t width = a.size(1);
  const PixelSize size = side_by_side_size({a.size(0), width});
  Tensor both = at::full({size.height, size.width, 3}, kGapGrey, a.options());
  both.narrow(0, 0, a.size(0)).narrow(1, 0, width).copy_(a);
  both.narrow(0, 0, a.size(0)).narrow(1, width + kGap, width).copy_(b);
  return both;
}

/// Throws Error unless the two files can be compared frame by frame.
void check_pair(const ComparisonRequest& request, const FrameSource& a, const FrameSource& b) {
  const PixelSize of_a = a.size(), of_b = b.size();
  if (of_a.width != of_b.width || of_a.height != of_b.height) {
    fail(ErrorKind::input, fmt::format("{}: expected frames of {}x{} as in {}, got {}x{}", request.b, of_a.width,
                                       of_a.height, request.a, of_b.width, of_b.height));
  }
  if (a.frames() != b.frames()) {
    fail(ErrorKind::input,
         fmt::format("{}: expected {} frames as in {}, got {}", request.b, a.frames(), request.a, b.frames()));
  }
  if (request.skip >= a.frames()) {
    fail(ErrorKind::usage,
         fmt::format("--skip {}: expected less than the number of frames, {}", request.skip, a.frames()));
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

std::optional<Lpips> open_lpips(const ComparisonRequest& request, at::Device device) {
  if (request.lpips_backbone.empty() != request.lpips_linear.empty()) {
    fail(ErrorKind::usage, "LPIPS: expected both --lpips-backbone and --lpips-linear, got one of them");
  }
  if (request.lpips_backbone.empty()) return std::nullopt;
  const Weights backbone = open_lpips_weights("--lpips-backbone", request.lpips_backbone, device);
  return Lpips(backbone, open_lpips_weights("--lpips-linear", request.lpips_linear, device));
}

using Fidelities = std::vector<FrameFidelity>;

/// The video of --side-by-side; null without it, and for two pictures, whose file is a picture too.
std::unique_ptr<FrameSink> side_by_side_video(const ComparisonRequest& request, const FrameSource& a,
                                              const FrameSource& b) {
  if (request.side_by_side.empty()) return nullptr;
  if (!a.fps() && !b.fps()) {
    check_image_output(request.side_by_side);
    return nullptr;
  }
  const double fps = a.fps().value_or(b.fps().value_or(1));
  const VideoFormat format = video_format(side_by_side_size(a.size()), fps);
  return make_video_writer(request.side_by_side, format, VideoEncoding{}, VideoExtras{}, request.existing);
}

Fidelities measure(const ComparisonRequest& request, FrameSource& source_a, FrameSource& source_b, const Lpips* lpips,
                   at::Device device) {
  const auto video = side_by_side_video(request, source_a, source_b);
  Fidelities compared;
  for (int64_t number = 0; number < source_a.frames(); ++number) {
    const auto a = source_a.next(), b = source_b.next();
    if (!a || !b) {
      fail(ErrorKind::input,
           fmt::format("{}: ends after {} frames, expected {}", a ? request.b : request.a, number, source_a.frames()));
    }
    if (video) {
      video->write(side_by_side(*a, *b).unsqueeze(0));
    } else if (!request.side_by_side.empty()) {
      write_image(request.side_by_side, side_by_side(*a, *b), "", request.existing);
    }
    if (number < request.skip) continue;
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

}  // namespace

FrameSource::FrameSource(const std::filesystem::path& path) {
  if (is_picture(path)) {
    picture_ = read_image(path);
  } else {
    video_ = std::make_unique<VideoReader>(path);
  }
}

PixelSize FrameSource::size() const {
  if (!video_) return {picture_.size(0), picture_.size(1)};
  return {video_->info().height, video_->info().width};
}

int64_t FrameSource::frames() const { return video_ ? video_->info().frames : 1; }

std::optional<double> FrameSource::fps() const {
  if (!video_) return std::nullopt;
  return video_->info().fps;
}

std::optional<Tensor> FrameSource::next() {
  const bool any = video_ ? video_->advance() : !std::exchange(picture_taken_, true);
  if (!any) return std::nullopt;
  return video_ ? video_->pixels() : picture_;
}

FileComparison compare_files(const ComparisonRequest& request) {
  FrameSource a(request.a), b(request.b);
  check_pair(request, a, b);
  const bool comparable = are_versions_of_one(request.a, request.b);
  set_up_backends();
  const at::Device device = pick_device(request.device);
  const auto lpips = open_lpips(request, device);
  return {.frames = measure(request, a, b, lpips ? &*lpips : nullptr, device),
          .first = request.skip,
          .size = a.size(),
          .times = comparable ? time_row(request.a, request.b) : ""};
}

std::string comparison_csv(const FileComparison& comparison) {
  std::string csv = "frame,psnr,ssim,lpips\n";
  int64_t number = comparison.first;
  for (const FrameFidelity& frame : comparison.frames) {
    csv += fmt::format("{},{:.6f},{:.6f},{}\n", number++, psnr(frame.mse), frame.ssim,
                       frame.lpips ? fmt::format("{:.6f}", *frame.lpips) : "");
  }
  return csv;
}

std::string comparison_table(const FileComparison& comparison) {
  const auto& [frames, first, size, times] = comparison;
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
  if (!fidelity.lpips_mean) {
    return table + row("LPIPS mean", "n/a", "needs --lpips-backbone and --lpips-linear") + times;
  }
  const auto lpips = [](const FrameFidelity& frame) { return frame.lpips.value_or(0); };
  return table + metric_row("LPIPS mean", *fidelity.lpips_mean, frames, first, Worst::largest, lpips, four_places) +
         times;
}

}  // namespace faststar
