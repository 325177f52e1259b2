#include "core/model/pyramid/schedule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "core/base/error.h"

namespace faststar {
namespace {

/// Edge of a square scale; other aspects have the same area.
constexpr int kEdges[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 40, 60};
/// Nominal height / width, widest last; all but the square also exist transposed.
constexpr double kNominalAspects[] = {1, 100.0 / 116, 3.0 / 4, 2.0 / 3, 9.0 / 16, 1.0 / 2, 2.0 / 5, 1.0 / 3};

struct Template {
  double key = 0;
  std::vector<Scale> scales;
};

/// Truncated to three decimals: the template's name in the official tables.
double truncated_key(double aspect) { return static_cast<int>(aspect * 1000) / 1000.0; }

std::vector<Scale> scales_of_aspect(double aspect) {
  std::vector<Scale> scales;
  for (const int edge : kEdges) {
    const double w = std::sqrt(edge * edge / aspect);
    const double h = w * aspect;
    // nearbyint rounds halves to even, as numpy does.
    scales.push_back({1, static_cast<int>(std::nearbyint(h)), static_cast<int>(std::nearbyint(w))});
  }
  return scales;
}

const std::vector<Template>& templates() {
  static const std::vector<Template> all = [] {
    std::vector<Template> list;
    for (const double aspect : kNominalAspects) {
      std::vector<Scale> scales = scales_of_aspect(aspect);
      const double real = static_cast<double>(scales.back().h) / scales.back().w;
      list.push_back({truncated_key(real), scales});
      if (aspect == 1) continue;
      for (Scale& scale : scales) std::swap(scale.h, scale.w);
      list.push_back({truncated_key(1 / real), scales});
    }
    return list;
  }();
  return all;
}

/// Scales of a clip by the official name (pn) of the size.
constexpr std::pair<std::string_view, int> kScalesOfSize[] = {
    {"0.06M", 11}, {"0.25M", 13}, {"0.40M", 14}, {"0.90M", 15}};

int count_scales_per_clip(const std::vector<Scale>& scales) {
  const auto is_full = [&](const Scale& scale) { return scale.h == scales.back().h && scale.w == scales.back().w; };
  const auto full = std::ranges::find_if(scales, is_full);
  return static_cast<int>(full - scales.begin()) + 1;
}

void check_repetitions(const std::vector<int>& list, const char* name, int scales) {
  if (static_cast<int>(list.size()) != scales) {
    fail(ErrorKind::usage, fmt::format("{}: expected {} entries (one per scale), got {}", name, scales, list.size()));
  }
  for (const int count : list) {
    if (count < 1 || count > 100) {
      fail(ErrorKind::usage, fmt::format("{}: expected entries from 1 to 100, got {}", name, count));
    }
  }
}

}  // namespace

Repetitions Repetitions::with_last(const std::vector<int>& last) const {
  if (last.size() > video.size()) {
    fail(ErrorKind::usage,
         fmt::format("last_repetitions: expected at most {} scales, got {}", video.size(), last.size()));
  }
  Repetitions changed = *this;
  std::ranges::copy(last, changed.video.end() - static_cast<std::ptrdiff_t>(last.size()));
  return changed;
}

Schedule::Schedule(std::vector<Scale> scales, FirstClip first) : scales_(std::move(scales)), first_clip_(first) {
  if (scales_.empty()) fail(ErrorKind::usage, "schedule: expected at least one scale, got none");
  scales_per_clip_ = count_scales_per_clip(scales_);
  for (size_t i = 0; i < scales_.size(); ++i) {
    const Scale& same_size = scales_[i % scales_per_clip_];
    const Scale& clip_start = scales_[i / scales_per_clip_ * scales_per_clip_];
    const Scale& scale = scales_[i];
    const bool lines_up = scale.h == same_size.h && scale.w == same_size.w && scale.t == clip_start.t;
    if (!lines_up || scale.t < 1 || scale.h < 1 || scale.w < 1 || scales_.size() % scales_per_clip_ != 0) {
      fail(ErrorKind::usage, fmt::format("schedule: scale {} ({}, {}, {}) does not fit clips of {} scales", i, scale.t,
                                         scale.h, scale.w, scales_per_clip_));
    }
  }
}

FrameRange Schedule::frames_of(int clip) const {
  int begin = 0;
  for (int c = 0; c < clip; ++c) begin += full_scale(c).t;
  return {begin, begin + full_scale(clip).t};
}

std::optional<int> Schedule::reference_of(int scale) const {
  const int clip = clip_of(scale);
  if (clip == 0) return std::nullopt;
  return clip * scales_per_clip_ - 1;
}

std::vector<Step> Schedule::steps(const Repetitions& repetitions) const {
  check_repetitions(repetitions.image, "image_repetitions", scales_per_clip_);
  if (clips() > 1) check_repetitions(repetitions.video, "video_repetitions", scales_per_clip_);
  std::vector<Step> steps;
  for (int scale = 0; scale < static_cast<int>(scales_.size()); ++scale) {
    const int clip = clip_of(scale);
    const int count = (clip == 0 ? repetitions.image : repetitions.video)[index_in_clip(scale)];
    for (int r = 0; r < count; ++r) {
      steps.push_back({static_cast<int>(steps.size()), clip, scale, r, r == count - 1});
    }
  }
  return steps;
}

std::vector<int> chosen_scales(const ScaleChoice& choice, const Schedule& schedule, const char* setting) {
  const int count = schedule.scales_per_clip();
  std::vector<int> scales;
  if (choice.listed.empty()) {
    if (choice.last > count) {
      fail(ErrorKind::usage,
           fmt::format("{}: expected at most last{} (the scales of a clip), got last{}", setting, count, choice.last));
    }
    for (int scale = count - choice.last; scale < count; ++scale) scales.push_back(scale);
    return scales;
  }
  for (const int listed : choice.listed) {
    const bool exists = listed >= 0 && listed < 2 * count;
    if (!exists || (!scales.empty() && listed % count <= scales.back())) {
      fail(ErrorKind::usage,
           fmt::format("{}: expected scales from 0 to {} in ascending order, got {}", setting, 2 * count - 1, listed));
    }
    scales.push_back(listed % count);
  }
  return scales;
}

std::vector<bool> chosen_flags(const ScaleChoice& choice, const Schedule& schedule, const char* setting) {
  const int count = schedule.scales_per_clip();
  const int of_image = choice.listed.empty() && choice.last <= 2 * count ? std::max(0, choice.last - count) : 0;
  std::vector<bool> flags(schedule.scales().size());
  for (const int chosen : chosen_scales({choice.last - of_image, choice.listed}, schedule, setting)) {
    for (int clip = schedule.first_video_clip(); clip < schedule.clips(); ++clip) {
      flags[static_cast<size_t>(clip * count + chosen)] = true;
    }
  }
  const bool has_image = schedule.first_video_clip() > 0;
  for (int scale = count - of_image; has_image && scale < count; ++scale) flags[static_cast<size_t>(scale)] = true;
  return flags;
}

const std::vector<double>& aspect_keys() {
  static const std::vector<double> keys = [] {
    std::vector<double> list;
    for (const Template& entry : templates()) list.push_back(entry.key);
    return list;
  }();
  return keys;
}

double nearest_aspect_key(double height_over_width) {
  const auto& keys = aspect_keys();
  return *std::min_element(keys.begin(), keys.end(), [&](double a, double b) {
    return std::abs(a - height_over_width) < std::abs(b - height_over_width);
  });
}

std::vector<Scale> image_scales(double aspect_key, const std::string& pn) {
  const auto count = std::ranges::find(kScalesOfSize, pn, &std::pair<std::string_view, int>::first);
  if (count == std::end(kScalesOfSize)) {
    std::vector<std::string_view> names;
    for (const auto& [name, scales] : kScalesOfSize) names.push_back(name);
    fail(ErrorKind::usage, fmt::format("size {}: expected one of {}", pn, fmt::join(names, ", ")));
  }
  for (const Template& entry : templates()) {
    if (std::abs(entry.key - aspect_key) < 1e-9) {
      return {entry.scales.begin(), entry.scales.begin() + count->second};
    }
  }
  fail(ErrorKind::usage, fmt::format("aspect {}: expected one of {}", aspect_key, fmt::join(aspect_keys(), ", ")));
}

Schedule make_schedule(double aspect_key, const std::string& pn, int latent_frames, int clip_latents) {
  if (latent_frames < 1 || clip_latents < 1) {
    fail(ErrorKind::usage, fmt::format("schedule: expected at least one latent frame, got {}", latent_frames));
  }
  const std::vector<Scale> image = image_scales(aspect_key, pn);
  std::vector<Scale> scales = image;
  for (int left = latent_frames - 1; left > 0; left -= clip_latents) {
    for (Scale scale : image) {
      scale.t = std::min(left, clip_latents);
      scales.push_back(scale);
    }
  }
  return Schedule(std::move(scales));
}

Schedule continuation_schedule(double aspect_key, const std::string& pn, int latents) {
  std::vector<Scale> scales = image_scales(aspect_key, pn);
  for (Scale& scale : scales) scale.t = latents;
  return Schedule(std::move(scales), FirstClip::continuation);
}

}  // namespace faststar
