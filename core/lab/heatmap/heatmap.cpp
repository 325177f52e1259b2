#include "core/lab/heatmap/heatmap.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/metrics/same_work.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/video_reader.h"
#include "core/media/video_writer.h"

namespace faststar {
namespace {

constexpr int64_t kPoints = 9;
// viridis at 0, 1/8, ..., 1.
constexpr float kViridis[kPoints][3] = {{68, 1, 84},    {71, 44, 122}, {59, 81, 139},  {44, 113, 142}, {33, 144, 141},
                                        {39, 173, 129}, {92, 200, 99}, {170, 220, 50}, {253, 231, 37}};

constexpr double kScoreShare = 0.8;   // weight of the colours in the blend with the frame
constexpr double kPrunedShare = 0.2;  // of their brightness that pruned tokens keep, on top of kPruned

// map [h, w, ...] -> [H, W, ...], each place a block.
Tensor enlarge(const Tensor& map, int64_t height, int64_t width) {
  const auto rows = at::floor_divide(at::arange(height) * map.size(0), height);
  const auto columns = at::floor_divide(at::arange(width) * map.size(1), width);
  return map.index_select(0, rows).index_select(1, columns);
}

// [H, W, 3] -> [H, W, 1], BT.601 luma.
Tensor grey(const Tensor& frame) {
  return at::matmul(frame.to(at::kFloat), at::tensor({0.299F, 0.587F, 0.114F})).unsqueeze(-1);
}

constexpr Colour kBackground = {24, 24, 28}, kBright = {235, 235, 235}, kDim = {165, 165, 170};
constexpr int64_t kDot = 2;              // pixels of a dot of text
constexpr int64_t kLine = 20;            // from one line of text to the next
constexpr int64_t kGap = 8;              // between panels and around all
constexpr int64_t kHeading = 2 * kLine;  // two lines
constexpr int64_t kLegend = kLine;
constexpr size_t kHeadingCharacters = 27;  // "kept 80%  score to 1.2e-05"
constexpr int64_t kSheetWidth = 1920;      // aimed at
constexpr int64_t kMaxPanelHeight = 360;
/// Scores above this quantile are clipped: a few outliers must not darken the rest.
constexpr double kClipQuantile = 0.995;

int64_t next_even(int64_t length) { return length + length % 2; }

double top_of_range(const Tensor& score) {
  const Tensor sorted = std::get<0>(score.flatten().nan_to_num(0, 0, 0).sort());
  const auto index = static_cast<int64_t>(kClipQuantile * static_cast<double>(sorted.numel() - 1));
  return sorted[index].item<double>();
}

PixelSize panel_size(PixelSize frame, size_t columns) {
  const auto share = static_cast<double>(kSheetWidth) / static_cast<double>(columns) - kGap;
  const double scale = std::min(share / static_cast<double>(frame.width),
                                static_cast<double>(kMaxPanelHeight) / static_cast<double>(frame.height));
  const auto scaled = [scale](int64_t length) {
    return std::max<int64_t>(std::lround(scale * static_cast<double>(length)), 1);
  };
  return {scaled(frame.height), scaled(frame.width)};
}

HeatmapFrame current_frame(VideoReader& video, const std::vector<LatentPlace>& places) {
  const int64_t number = video.index();
  if (number >= static_cast<int64_t>(places.size())) {
    fail(ErrorKind::input, fmt::format("the video has more than the {} frames of its run", places.size()));
  }
  return {video.pixels(), number, video.time(), places[static_cast<size_t>(number)]};
}

/// `rows` frames evenly over the clips that were reduced.
std::vector<int64_t> frames_of_sheet(const Trace& trace, const std::vector<LatentPlace>& places, int64_t rows) {
  std::vector<int64_t> reduced;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool is_reduced = std::ranges::count(trace.steps, places[i].clip, &TracedStep::clip) > 0;
    if (is_reduced) reduced.push_back(static_cast<int64_t>(i));
  }
  const auto count = static_cast<int64_t>(reduced.size());
  std::vector<int64_t> chosen;
  for (int64_t row = 0; row < std::min(rows, count); ++row) {
    chosen.push_back(reduced[static_cast<size_t>((2 * row + 1) * count / (2 * std::min(rows, count)))]);
  }
  return chosen;
}

/// Warns when trace and video say how they were made and that is not the same.
void check_same_run(const Trace& trace, const std::string& video) {
  const auto provenance = read_provenance(video);
  if (!provenance || trace.settings_json.empty()) return;
  const auto apart = settings_apart(trace.settings_json, provenance->settings_json);
  if (apart.empty()) return;
  log::warn("{} is not of the run of {}: they differ in {}", trace.origin, video, fmt::join(apart, ", "));
}

}  // namespace

Tensor viridis(const Tensor& values) {
  const Tensor colours = at::empty({kPoints, 3}, at::kFloat);
  std::copy_n(&kViridis[0][0], kPoints * 3, colours.mutable_data_ptr<float>());
  const Tensor place = values.nan_to_num(1).clamp(0, 1) * (kPoints - 1);
  const Tensor below = place.floor().clamp_max(kPoints - 2);
  const Tensor share = (place - below).unsqueeze(-1);
  const Tensor lower = below.to(at::kLong).flatten();
  auto shape = values.sizes().vec();
  shape.push_back(3);
  const Tensor start = colours.index_select(0, lower).view(shape);
  const Tensor end = colours.index_select(0, lower + 1).view(shape);
  return (start + share * (end - start)).round().to(at::kByte);
}

Tensor score_panel(const Tensor& frame, const Tensor& score, double max) {
  const Tensor colours = viridis(max > 0 ? score / max : at::zeros_like(score)).to(at::kFloat);
  const Tensor mixture = enlarge(colours, frame.size(0), frame.size(1)) * kScoreShare + grey(frame) * (1 - kScoreShare);
  return mixture.round().to(at::kByte);
}

Tensor mask_panel(const Tensor& frame, const Tensor& mask) {
  const Tensor kept = enlarge(mask.ne(0), frame.size(0), frame.size(1)).unsqueeze(-1);
  const Tensor tint = at::tensor(at::ArrayRef<uint8_t>(kPruned.data(), kPruned.size()), at::kFloat);
  return at::where(kept, frame, (grey(frame) * kPrunedShare + tint).round().to(at::kByte));
}

HeatmapPainter::HeatmapPainter(const Trace& trace, PixelSize frame)
    : trace_(trace), steps_of_(trace.clip_latents.size()) {
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const TracedStep& step = trace.steps[i];
    steps_of_[static_cast<size_t>(step.clip)].push_back(i);
    max_score_.push_back(step.score.defined() ? top_of_range(step.score) : 0);
    has_scores_ = has_scores_ || step.score.defined();
  }
  for (const auto& steps : steps_of_) columns_ = std::max(columns_, steps.size() + 1);
  panel_ = panel_size(frame, columns_);
  column_ = std::max(panel_.width, text_size(kHeadingCharacters, kDot).width) + kGap;
}

PixelSize HeatmapPainter::sheet_size(int64_t bands, int64_t headings) const {
  const int64_t rows = has_scores_ ? 2 : 1;
  const int64_t height = headings * kHeading + bands * rows * (panel_.height + kGap) + kLegend + 2 * kGap;
  return {next_even(height), next_even(column_x(columns_))};
}

int64_t HeatmapPainter::column_x(size_t column) const { return kGap + static_cast<int64_t>(column) * column_; }

Tensor HeatmapPainter::paint(const std::vector<HeatmapFrame>& frames) const {
  const auto starts_clip = [&frames](size_t i) { return i == 0 || frames[i].place.clip != frames[i - 1].place.clip; };
  int64_t headings = 0;
  for (size_t i = 0; i < frames.size(); ++i) headings += starts_clip(i) ? 1 : 0;
  const auto bands = static_cast<int64_t>(frames.size());
  Canvas canvas(sheet_size(bands, headings), kBackground);
  int64_t y = kGap;
  for (size_t i = 0; i < frames.size(); ++i) {
    if (starts_clip(i)) {
      draw_heading(canvas, y, frames[i].place.clip);
      y += kHeading;
    }
    draw_band(canvas, y, frames[i]);
    y += (has_scores_ ? 2 : 1) * (panel_.height + kGap);
  }
  draw_legend(canvas);
  return canvas.pixels();
}

void HeatmapPainter::draw_heading(Canvas& canvas, int64_t y, int64_t clip) const {
  const auto& steps = steps_of(clip);
  if (steps.empty()) canvas.write({column_x(1), y}, fmt::format("clip {} is not reduced", clip), kDim, kDot);
  for (size_t column = 0; column < steps.size(); ++column) {
    const TracedStep& step = trace_.steps[steps[column]];
    const int64_t x = column_x(column + 1);
    const std::string pass = step.repetition > 0 ? fmt::format(" pass {}", step.repetition) : "";
    canvas.write({x, y},
                 fmt::format("scale {}{}  {}x{}", step.scale, pass, step.token_mask.size(1), step.token_mask.size(2)),
                 kBright, kDot);
    const std::string range = step.score.defined() ? fmt::format("  score to {:.2g}", max_score_[steps[column]]) : "";
    canvas.write({x, y + kLine}, fmt::format("kept {:.0f}%{}", 100 * step.kept_share(), range), kDim, kDot);
  }
}

void HeatmapPainter::draw_band(Canvas& canvas, int64_t y, const HeatmapFrame& frame) const {
  const Tensor small = resize_lanczos(frame.pixels, panel_);
  canvas.paste({column_x(0), y}, small);
  const int64_t text_y = y + panel_.height + kGap;
  canvas.write({column_x(0), text_y}, fmt::format("frame {}", frame.number), kBright, kDot);
  canvas.write({column_x(0), text_y + kLine}, fmt::format("{:.2f} s", frame.seconds), kDim, kDot);
  canvas.write({column_x(0), text_y + 2 * kLine},
               fmt::format("clip {}, latent {}", frame.place.clip, frame.place.latent), kDim, kDot);
  const auto& steps = steps_of(frame.place.clip);
  for (size_t column = 0; column < steps.size(); ++column) {
    draw_step(canvas, {column_x(column + 1), y}, small, steps[column], frame.place.latent);
  }
}

void HeatmapPainter::draw_step(Canvas& canvas, Point top_left, const Tensor& small, size_t step, int64_t latent) const {
  const auto& [clip, scale, repetition, token_mask, score] = trace_.steps[step];
  if (score.defined()) {
    canvas.paste(top_left,
                 score_panel(small, score[latent * score.size(0) / trace_.clip_latents[clip]], max_score_[step]));
  }
  if (has_scores_) top_left.y += panel_.height + kGap;
  canvas.paste(top_left, mask_panel(small, token_mask[latent * token_mask.size(0) / trace_.clip_latents[clip]]));
}

void HeatmapPainter::draw_legend(Canvas& canvas) const {
  constexpr PixelSize kBar = {kLine - 4, 160}, kSwatch = {kLine - 4, 24};
  Point at = {kGap, canvas.pixels().size(0) - kGap - kLegend};
  const auto step = [&at](int64_t width) { at.x += width + text_size(1, kDot).width; };
  const auto write = [&](const std::string& text) {
    canvas.write(at, text, kBright, kDot);
    step(text_size(text.size(), kDot).width);
  };
  if (has_scores_) {
    write("score 0");
    canvas.paste(at, viridis(at::linspace(0, 1, kBar.width)).unsqueeze(0).expand({kBar.height, kBar.width, 3}));
    step(kBar.width);
    write("highest ");
  }
  canvas.fill(at, kSwatch, kPruned);
  step(kSwatch.width);
  write("pruned");
}

void write_heatmap(const HeatmapFiles& files, int64_t rows, Existing existing) {
  const Trace trace = read_trace(files.trace);
  VideoReader video(files.video);
  check_same_run(trace, files.video);
  const VideoInfo& info = video.info();
  const auto places = place_frames(trace, info.frames);
  const HeatmapPainter painter(trace, {info.height, info.width});
  if (!has_picture_name(files.output)) {
    const auto writer = make_video_writer(files.output, video_format(painter.size(), info.fps), {}, {}, existing);
    while (video.advance()) writer->write(painter.paint({current_frame(video, places)}).unsqueeze(0));
    return writer->finish();
  }
  const std::vector<int64_t> chosen = frames_of_sheet(trace, places, rows);
  std::vector<HeatmapFrame> frames;
  while (frames.size() < chosen.size() && video.advance()) {
    if (video.index() == chosen[frames.size()]) frames.push_back(current_frame(video, places));
  }
  write_image(files.output, painter.paint(frames), "", existing);
}

}  // namespace faststar
