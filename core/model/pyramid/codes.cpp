#include "core/model/pyramid/codes.h"

#include <ATen/ATen.h>

#include <cmath>

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

}  // namespace faststar
