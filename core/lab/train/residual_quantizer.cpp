#include "core/lab/train/residual_quantizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/random.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

/// Rows of unit maps of h x w, as frames of one video with `channels` equal channels: [1, channels, h w, h, w].
Tensor unit_maps(int64_t h, int64_t w, int64_t channels) {
  return at::eye(h * w).view({1, 1, h * w, h, w}).expand({1, channels, h * w, h, w});
}

/// Unit vectors over channels, as frames of one pixel: [1, channels, channels, 1, 1].
Tensor unit_channels(int64_t channels) { return at::eye(channels).view({1, channels, channels, 1, 1}); }

/// The matrix [H W, h w] of downsample_accumulated.
Tensor down_matrix(const Scale& full, const Scale& scale) {
  const int frames = full.h * full.w;
  return downsample_accumulated(unit_maps(full.h, full.w, 1), {frames, scale.h, scale.w}).view({frames, -1});
}

/// The matrix [h w, H W] of upsample_codes over height and width.
Tensor up_matrix(const Scale& scale, const Scale& full) {
  const int frames = scale.h * scale.w;
  const Tensor up = upsample_codes(unit_maps(scale.h, scale.w, kDetailBits), {frames, full.h, full.w});
  return up.select(1, 0).reshape({frames, -1});
}

}  // namespace

int PyramidShape::iterations() const { return std::accumulate(repetitions.begin(), repetitions.end(), 0); }

int64_t PyramidShape::bits(size_t k) const {
  return k < static_cast<size_t>(semantic_scales) ? kSemanticBits : kDetailBits;
}

PyramidShape PyramidShape::shrunk_to(int height, int width) const {
  const Scale full = scales.back();
  const auto shrink = [](int size, int to, int from) {
    return std::max(1, static_cast<int>(std::nearbyint(static_cast<double>(size) * to / from)));
  };
  PyramidShape shrunk = *this;
  for (Scale& scale : shrunk.scales) {
    scale.h = shrink(scale.h, height, full.h);
    scale.w = shrink(scale.w, width, full.w);
  }
  return shrunk;
}

ResidualQuantizer::ResidualQuantizer(PyramidShape shape, at::Device device) : shape_(std::move(shape)) {
  const c10::NoGradGuard no_grad;
  const Scale& full = shape_.scales.back();
  full_tokens_ = int64_t{full.h} * full.w;
  for (const Scale& scale : shape_.scales) {
    const bool whole = scale.h == full.h && scale.w == full.w;
    down_.push_back(whole ? Tensor() : down_matrix(full, scale).to(device));
    up_.push_back(whole ? Tensor() : up_matrix(scale, full).to(device));
  }
  channels_down_ = downsample_features(unit_channels(kFeatureChannels), kSemanticBits, {kFeatureChannels, 1, 1})
                       .view({kSemanticBits, kFeatureChannels})
                       .to(device);
  channels_up_ = upsample_codes(unit_channels(kSemanticBits), {kSemanticBits, 1, 1})
                     .view({kFeatureChannels, kSemanticBits})
                     .to(device);
}

Tensor ResidualQuantizer::area_down(size_t k, const Tensor& map) const {
  return down_[k].defined() ? at::matmul(map, down_[k]) : map;
}

Tensor ResidualQuantizer::residual_bits(size_t k, const Tensor& residual) const {
  return (shape_.bits(k) == kSemanticBits ? at::matmul(channels_down_, residual) : residual).gt(0);
}

Tensor ResidualQuantizer::contribution(size_t k, const Tensor& bits) const {
  const double magnitude = 1 / std::sqrt(static_cast<double>(shape_.bits(k)));
  const Tensor codes = bits.to(at::kFloat).mul(2 * magnitude).sub(magnitude);
  const Tensor wide = shape_.bits(k) == kSemanticBits ? at::matmul(channels_up_, codes) : codes;
  return up_[k].defined() ? at::matmul(wide, up_[k]) : wide;
}

Tensor ResidualQuantizer::flipped(const Tensor& bits, const CodeNoise& noise, int scale, int repetition) const {
  const int64_t N = bits.size(0), d = bits.size(1), tokens = bits.size(2);
  const Tensor positions = at::arange(N * tokens, noise.counter.options()) + noise.counter;
  const RandomStep step{.seed = noise.seed, .clip = 0, .scale = scale, .repetition = repetition};
  const Tensor uniform = philox_uniform(step, RandomPurpose::training_noise, positions, d);
  return bits.logical_xor(uniform.view({N, tokens, d}).transpose(1, 2).lt(noise.flip.view({N, 1, 1})));
}

Tensor ResidualQuantizer::run(const Tensor& features, const CodeNoise* noise, const Tensor& repetition,
                              QuantizerTrace* trace) const {
  const c10::NoGradGuard no_grad;
  Tensor summed = at::zeros_like(features);
  int iteration = 0;
  for (size_t k = 0; k < shape_.scales.size(); ++k) {
    const Tensor wanted = area_down(k, features);
    std::vector<Tensor> inputs, targets;
    for (int r = 0; r < shape_.repetitions[k]; ++r, ++iteration) {
      inputs.push_back(area_down(k, summed));
      targets.push_back(residual_bits(k, wanted - inputs.back()));
      const Tensor bits = noise ? flipped(targets.back(), *noise, static_cast<int>(k), r) : targets.back();
      Tensor change = contribution(k, bits);
      if (noise && noise->kept.defined()) change = change * noise->kept.gt(iteration).view({-1, 1, 1});
      summed = summed + change;
    }
    if (!trace) continue;
    const Tensor chosen = repetition.narrow(0, static_cast<int64_t>(k), 1);
    trace->inputs.push_back(at::stack(inputs).index_select(0, chosen).squeeze(0));
    trace->targets.push_back(at::stack(targets).index_select(0, chosen).squeeze(0));
  }
  return summed;
}

QuantizerTrace ResidualQuantizer::trace(const Tensor& features, const CodeNoise* noise,
                                        const Tensor& repetition) const {
  QuantizerTrace trace;
  run(features, noise, repetition, &trace);
  return trace;
}

Tensor frames_from_clips(const Tensor& features) {
  return features.transpose(1, 2).flatten(0, 1).flatten(2);  // [B T, 64, H W]
}

Tensor clips_from_frames(const Tensor& frames, int64_t clips, int64_t height, int64_t width) {
  return frames.unflatten(0, {clips, -1}).unflatten(3, {height, width}).transpose(1, 2);  // [B, 64, T, H, W]
}

}  // namespace faststar
