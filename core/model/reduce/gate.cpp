#include "core/model/reduce/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/base/error.h"
#include "core/model/reduce/check.h"

namespace faststar {
namespace {

int basis_points(double ratio) { return static_cast<int>(std::lround(ratio * ReductionGate::kWhole)); }

/// The reduced scales, counted within a clip, ascending.
std::vector<int> scales_in_clip(const ReducedScales& choice, const Schedule& schedule) {
  const int count = schedule.scales_per_clip();
  std::vector<int> scales;
  if (choice.listed.empty()) {
    if (choice.last > count) {
      fail(ErrorKind::usage,
           fmt::format("scales: expected at most last{} (the scales of a clip), got last{}", count, choice.last));
    }
    for (int scale = count - choice.last; scale < count; ++scale) scales.push_back(scale);
    return scales;
  }
  for (const int listed : choice.listed) {
    const bool exists = listed >= 0 && listed < 2 * count;
    if (!exists || (!scales.empty() && listed % count <= scales.back())) {
      fail(ErrorKind::usage,
           fmt::format("scales: expected scales from 0 to {} in ascending order, got {}", 2 * count - 1, listed));
    }
    scales.push_back(listed % count);
  }
  return scales;
}

/// True when reduction happens inside of layers, or after a dense pass.
bool keeps_stream_whole(const ReductionSettings& settings) {
  switch (settings.method) {
    case ReductionMethod::fastvar: return true;
    case ReductionMethod::tome: return settings.tome.scope == MergeScope::layer;
    case ReductionMethod::faststar: return settings.faststar.scorer == Scorer::oracle;
    default: return false;
  }
}

}  // namespace

ReductionGate::ReductionGate(const ReductionSettings& settings, const Schedule& schedule,
                             const Repetitions& repetitions)
    : scales_per_clip_(schedule.scales_per_clip()),
      scope_(settings.topk_scope),
      keep_align_(settings.keep_align),
      stream_is_whole_(keeps_stream_whole(settings)) {
  for (int scale = 0; scale < static_cast<int>(schedule.scales().size()); ++scale) {
    const auto& lists = schedule.clip_of(scale) == 0 ? repetitions.image : repetitions.video;
    scales_.push_back({.repetitions = lists[schedule.index_in_clip(scale)],
                       .last_full = settings.last_rep_full,
                       .scale = schedule.scales()[scale]});
  }
  if (settings.method == ReductionMethod::none) return;
  check_method_options(settings);
  set_ratios(settings, schedule);
  if (settings.method == ReductionMethod::skip) skip_last_scales();
}

void ReductionGate::set_ratios(const ReductionSettings& settings, const Schedule& schedule) {
  const std::vector<int> reduced = scales_in_clip(settings.scales, schedule);
  check_ratios(settings.ratios, reduced.size());
  check_scale_before(settings.method, reduced.front());
  const bool prunes_first = settings.prune_image_clip || schedule.first_clip() == FirstClip::continuation;
  for (int clip = prunes_first ? 0 : 1; clip < schedule.clips(); ++clip) {
    for (size_t i = 0; i < reduced.size(); ++i) {
      const int scale = clip * scales_per_clip_ + reduced[i];
      const bool read_later = schedule.is_last_of_clip(scale) && clip + 1 < schedule.clips();
      int points = basis_points(settings.ratios[settings.ratios.size() == 1 ? 0 : i]);
      if (read_later) points = std::min(points, basis_points(settings.multi_clip_last_ratio_cap));
      scales_[scale].basis_points = points;
      check_scale(settings, scale, read_later);
    }
  }
}

void ReductionGate::check_scale(const ReductionSettings& settings, int scale, bool read_later) const {
  const ScaleRatio& entry = scales_[scale];
  if (settings.method == ReductionMethod::tome) {
    check_merge(settings.tome, entry.scale, entry.scale.tokens() - removed(entry));
  }
  if (settings.method == ReductionMethod::skip || entry.basis_points < kWhole || !read_later) return;
  fail(ErrorKind::usage, fmt::format("ratios: scale {} cannot be left out, the next clip attends to its tokens", scale),
       "a multi_clip_last_ratio_cap below 1");
}

void ReductionGate::skip_last_scales() {
  int64_t wanted = 0;
  for (ScaleRatio& entry : scales_) {
    const int passes = entry.repetitions - (entry.last_full && entry.repetitions > 1 ? 1 : 0);
    wanted += passes * removed(entry);
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

int ReductionGate::basis_points_of(const ScaleRatio& entry, const Step& step) {
  return entry.last_full && step.last_repetition && entry.repetitions > 1 ? 0 : entry.basis_points;
}

int64_t ReductionGate::removed(const ScaleRatio& entry) const {
  const int64_t pools = scope_ == TopKScope::frame ? entry.scale.t : 1;
  return pools * (entry.scale.tokens() / pools * entry.basis_points / kWhole);
}

int64_t ReductionGate::kept_of(int64_t count, const Step& step) const {
  return std::max<int64_t>(1, count - count * ratio_of(step) / kWhole);
}

int64_t ReductionGate::kept_tokens(const Step& step) const {
  const Scale& scale = scales_[step.scale].scale;
  if (ratio_of(step) == 0) return scale.tokens();
  if (skips(step)) return 0;
  const int64_t pools = scope_ == TopKScope::frame ? scale.t : 1;
  const int64_t pool = scale.tokens() / pools;
  const int64_t kept = kept_of(pool, step);
  return pools * std::min(pool, (kept + keep_align_ - 1) / keep_align_ * keep_align_);
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

}  // namespace faststar
