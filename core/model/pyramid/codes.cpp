#include "core/model/pyramid/codes.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/base/error.h"

namespace faststar {
namespace {

/// The official interpolation treats channels as depth and frames as channels.
Tensor channels_as_depth(const Tensor& map) { return map.transpose(1, 2); }

}  // namespace

Tensor codes_from_bits(const Tensor& bits) {
  const auto magnitude = static_cast<float>(1.0 / std::sqrt(static_cast<double>(bits.size(-1))));
  return bits.permute({0, 4, 1, 2, 3}).to(at::kFloat).mul(2 * magnitude).sub(magnitude);
}

Tensor bits_from_features(const Tensor& features) {
  return features.gt(0).permute({0, 2, 3, 4, 1}).to(at::kByte).contiguous();
}

Tensor upsample_codes(const Tensor& codes, const Scale& full) {
  const Tensor deep = channels_as_depth(codes).contiguous();
  return channels_as_depth(at::upsample_trilinear3d(deep, {kFeatureChannels, full.h, full.w}, /*align_corners=*/false));
}

Tensor downsample_features(const Tensor& features, int64_t d, const Scale& scale) {
  const Tensor deep = channels_as_depth(features).contiguous();
  return channels_as_depth(at::adaptive_avg_pool3d(deep, {d, scale.h, scale.w}));
}

Tensor downsample_accumulated(const Tensor& accumulated, const Scale& scale) {
  return at::adaptive_avg_pool3d(accumulated, {scale.t, scale.h, scale.w});
}

Tensor tokens_from_map(const Tensor& map) { return map.flatten(2).transpose(1, 2); }

Tensor grid_from_tokens(const Tensor& tokens, const Scale& scale) {
  return tokens.view({1, scale.t, scale.h, scale.w, tokens.size(-1)});
}

std::vector<Tensor> condition_bits(const Tensor& features, const Schedule& schedule, const Repetitions& repetitions,
                                   int64_t detail_scale_min_tokens) {
  const Scale& full = schedule.full_scale(0);
  if (features.dim() != 5 || features.size(1) != kFeatureChannels || features.size(3) != full.h ||
      features.size(4) != full.w) {
    fail(ErrorKind::usage, fmt::format("conditioning: expected features [1, {}, T, {}, {}], got {}", kFeatureChannels,
                                       full.h, full.w, shape_text(features.sizes())));
  }
  int clips = 1;
  while (clips < schedule.clips() && schedule.frames_of(clips - 1).end < features.size(2)) ++clips;
  if (schedule.frames_of(clips - 1).end != features.size(2)) {
    fail(ErrorKind::usage,
         fmt::format("conditioning: expected whole clips of the schedule, got {} latent frames", features.size(2)));
  }
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
