#include "core/model/reduce/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/base/error.h"

namespace faststar {
namespace {

int basis_points(double ratio) { return static_cast<int>(std::lround(ratio * ReductionGate::kWhole)); }

int64_t removed(const Scale& scale, int basis_points) { return scale.tokens() * basis_points / ReductionGate::kWhole; }

/// True when reduction happens inside of layers, or after a dense pass.
bool keeps_stream_whole(const ReductionSettings& settings) {
  const bool inside_layers = settings.method == ReductionMethod::fastvar || settings.method == ReductionMethod::tome;
  const bool oracle = settings.method == ReductionMethod::faststar && settings.faststar.scorer == Scorer::oracle;
  return inside_layers || oracle;
}

void check_tome(const ToMeOptions& options) {
  const auto& stride = options.dst_stride;
  if (stride.size() == 3 && std::all_of(stride.begin(), stride.end(), [](int edge) { return edge >= 1; })) return;
  fail(ErrorKind::usage,
       fmt::format("tome.dst_stride: expected three numbers from 1 on (t, h, w), got {}", stride.size()));
}

void check_layers(const std::vector<int>& layers, const char* name) {
  if (layers.empty() || (layers.size() == 2 && layers[0] < layers[1])) return;
  fail(ErrorKind::usage, fmt::format("{}: expected [first, end) with first < end", name));
}

void check_ratios(const std::vector<double>& ratios, size_t scales) {
  for (const double ratio : ratios) {
    if (ratio >= 0 && ratio <= 1) continue;
    const bool percent = ratio > 1 && ratio <= 100;
    fail(ErrorKind::usage, fmt::format("ratios: expected fractions from 0 to 1, got {}", ratio),
         percent ? fmt::format("did you mean {:g}?", ratio / 100) : "");
  }
  if (ratios.size() == 1 || ratios.size() == scales) return;
  fail(ErrorKind::usage,
       fmt::format("ratios: expected 1 or {} (one per reduced scale), got {}", scales, ratios.size()));
}

/// Tokens of a scale that ToMe can merge into others: all but one destination a whole cell.
int64_t merge_sources(const ToMeOptions& options, const Scale& scale) {
  if (options.matching == Matching::alternate) return scale.tokens() / 2;
  const auto cells = [&](int size, size_t axis) { return int64_t{size} / std::min(size, options.dst_stride[axis]); };
  return scale.tokens() - cells(scale.t, 0) * cells(scale.h, 1) * cells(scale.w, 2);
}

/// ToMe must be able to get down to `kept` tokens.
void check_merge(const ToMeOptions& options, const Scale& scale, int64_t kept) {
  const int64_t sources = merge_sources(options, scale);
  if (scale.tokens() - kept <= sources) return;
  fail(ErrorKind::usage,
       fmt::format("ratios: tome can merge at most {:.4f} of the tokens of scale {}x{}x{}",
                   static_cast<double>(sources) / static_cast<double>(scale.tokens()), scale.t, scale.h, scale.w),
       "use a larger tome.dst_stride or smaller ratios");
}

/// FastVAR and SparseVAR look back at the scale before the first reduced one, counted within a clip.
void check_scale_before(ReductionMethod method, int first_reduced) {
  const bool looks_back = method == ReductionMethod::fastvar || method == ReductionMethod::sparsevar;
  if (!looks_back || first_reduced > 0) return;
  fail(ErrorKind::usage, "scales: this method restores from the scale before the reduced ones, and there is none",
       "reduce fewer scales");
}

}  // namespace

ReductionGate::ReductionGate(const ReductionSettings& settings, const Schedule& schedule,
                             const Repetitions& repetitions)
    : scales_per_clip_(schedule.scales_per_clip()),
      keep_align_(settings.keep_align),
      stream_is_whole_(keeps_stream_whole(settings)) {
  for (int scale = 0; scale < static_cast<int>(schedule.scales().size()); ++scale) {
    const auto& lists = schedule.clip_of(scale) == 0 ? repetitions.image : repetitions.video;
    scales_.push_back({.repetitions = lists[schedule.index_in_clip(scale)], .scale = schedule.scales()[scale]});
  }
  if (settings.method == ReductionMethod::none) return;
  check_tome(settings.tome);
  check_layers(settings.fastvar.layers, "fastvar.layers");
  check_layers(settings.sparsevar.mse_layers, "sparsevar.mse_layers");
  set_ratios(settings, schedule);
  if (settings.method == ReductionMethod::skip) skip_last_scales();
}

void ReductionGate::set_ratios(const ReductionSettings& settings, const Schedule& schedule) {
  const std::vector<int> reduced = chosen_scales(settings.scales, schedule, "scales");
  check_ratios(settings.ratios, reduced.size());
  check_scale_before(settings.method, reduced.front());
  for (int clip = settings.prune_image_clip ? 0 : schedule.first_video_clip(); clip < schedule.clips(); ++clip) {
    for (size_t i = 0; i < reduced.size(); ++i) {
      const int scale = clip * scales_per_clip_ + reduced[i];
      ScaleRatio& entry = scales_[scale];
      entry.basis_points = basis_points(settings.ratios[settings.ratios.size() == 1 ? 0 : i]);
      if (settings.method == ReductionMethod::tome) {
        check_merge(settings.tome, entry.scale, entry.scale.tokens() - removed(entry.scale, entry.basis_points));
      }
      const bool read_later = schedule.is_last_of_clip(scale) && clip + 1 < schedule.clips();
      if (settings.method == ReductionMethod::skip || entry.basis_points < kWhole || !read_later) continue;
      fail(ErrorKind::usage,
           fmt::format("ratios: scale {} cannot be left out, the next clip attends to its tokens", scale),
           "use a ratio below 1");
    }
  }
}

void ReductionGate::skip_last_scales() {
  int64_t wanted = 0;
  for (ScaleRatio& entry : scales_) {
    const int passes = entry.repetitions - (entry.last_full && entry.repetitions > 1 ? 1 : 0);
    wanted += passes * removed(entry.scale, entry.basis_points);
    entry.basis_points = 0;
  }
  int64_t left_out = 0;
  for (size_t scale = scales_.size(); scale-- > scales_.size() - scales_per_clip_ + 1;) {
    const int64_t more = left_out + scales_[scale].repetitions * scales_[scale].scale.tokens();
    if (std::abs(more - wanted) >= std::abs(left_out - wanted)) return;
    scales_[scale].basis_points = kWhole;
    scales_[scale].last_full = false;
    left_out = more;
  }
}

int ReductionGate::ratio_of(const Step& step) const {
  const ScaleRatio& entry = scales_[step.scale];
  return entry.last_full && step.last_repetition && entry.repetitions > 1 ? 0 : entry.basis_points;
}

int64_t ReductionGate::kept_of(int64_t count, const Step& step) const {
  return std::max<int64_t>(1, count - count * ratio_of(step) / kWhole);
}

int64_t ReductionGate::kept_tokens(const Step& step) const {
  const Scale& scale = scales_[step.scale].scale;
  if (ratio_of(step) == 0) return scale.tokens();
  if (skips(step)) return 0;
  const int64_t kept = kept_of(scale.tokens(), step);
  return std::min(scale.tokens(), (kept + keep_align_ - 1) / keep_align_ * keep_align_);
}

int64_t ReductionGate::stream_tokens(const Step& step) const {
  return stream_is_whole_ && !skips(step) ? scales_[step.scale].scale.tokens() : kept_tokens(step);
}

int ReductionGate::first_reduced_scale(int clip) const {
  int scale = clip * scales_per_clip_;
  const int end = scale + scales_per_clip_;
  while (scale < end && scales_[scale].basis_points == 0) ++scale;
  return scale;
}

void check_depth(const ReductionSettings& settings, int64_t layers) {
  const auto check = [&](const std::vector<int>& range, const char* name) {
    if (range.empty() || range[1] <= layers) return;
    fail(ErrorKind::usage, fmt::format("{}: expected layers below {} (the model's depth), got [{}, {})", name, layers,
                                       range[0], range[1]));
  };
  if (settings.method == ReductionMethod::fastvar) check(settings.fastvar.layers, "fastvar.layers");
  if (settings.method == ReductionMethod::sparsevar) check(settings.sparsevar.mse_layers, "sparsevar.mse_layers");
}

}  // namespace faststar
