#include "core/model/pyramid/conditioning.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// How many whole clips `latent_frames` covers.
int count_clips(const Schedule& schedule, int64_t latent_frames) {
  for (int clip = 0; clip < schedule.clips(); ++clip) {
    if (schedule.frames_of(clip).end == latent_frames) return clip + 1;
  }
  fail(ErrorKind::usage,
       fmt::format("conditioning: expected whole clips of the schedule, got {} latent frames", latent_frames));
}

void check_size(const Tensor& features, const Scale& full) {
  if (features.dim() == 5 && features.size(1) == kFeatureChannels && features.size(3) == full.h &&
      features.size(4) == full.w) {
    return;
  }
  fail(ErrorKind::usage, fmt::format("conditioning: expected features [1, {}, T, {}, {}], got {}", kFeatureChannels,
                                     full.h, full.w, shape_text(features.sizes())));
}

}  // namespace

std::vector<Tensor> condition_bits(const Tensor& features, const Schedule& schedule, const Repetitions& repetitions,
                                   int64_t detail_scale_min_tokens) {
  check_size(features, schedule.full_scale(0));
  const int clips = count_clips(schedule, features.size(2));
  std::vector<Tensor> bits;
  Tensor target;
  Tensor accumulated;
  int clip = -1;
  for (const Step& step : schedule.steps(repetitions)) {
    if (step.clip >= clips) break;
    if (step.clip != clip) {
      clip = step.clip;
      const FrameRange frames = schedule.frames_of(clip);
      target = features.narrow(2, frames.begin, frames.end - frames.begin);
      accumulated = at::zeros_like(target);
    }
    const Scale& scale = schedule.scales()[step.scale];
    const int64_t d = int64_t{scale.h} * scale.w >= detail_scale_min_tokens ? kDetailBits : kSemanticBits;
    bits.push_back(bits_from_features(downsample_features(target - accumulated, d, scale)));
    accumulated = accumulated + upsample_codes(codes_from_bits(bits.back()), schedule.full_scale(clip));
  }
  return bits;
}

Tensor accumulated_features(const std::vector<Tensor>& bits, const Schedule& schedule, const Repetitions& repetitions) {
  std::vector<Tensor> clips;
  for (const Step& step : schedule.steps(repetitions)) {
    if (step.index >= static_cast<int>(bits.size())) break;
    const Tensor codes = upsample_codes(codes_from_bits(bits[step.index]), schedule.full_scale(step.clip));
    if (step.clip == static_cast<int>(clips.size())) {
      clips.push_back(codes);
    } else {
      clips.back() = clips.back() + codes;
    }
  }
  return at::cat(clips, 2);
}

}  // namespace faststar
