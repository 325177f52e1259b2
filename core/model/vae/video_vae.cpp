#include "core/model/vae/video_vae.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/model/vae/layers.h"
#include "core/model/vae/yuv420.h"

namespace faststar {

/// Residual blocks of one size and the resampler (DownSample or UpSample) that leads to the next size, if any.
template <typename Resampler>
struct VaeBlock {
  DeferredSum operator()(DeferredSum x, VideoPass& pass) const {
    x = resnets(std::move(x), pass);
    return resampler ? (*resampler)(std::move(x), pass) : x;
  }

  ResnetStack resnets;
  std::optional<Resampler> resampler;
};

namespace {

std::vector<VaeBlock<DownSample>> load_down_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array kTime = {TimeFactor::two, TimeFactor::two, TimeFactor::one};
  const auto& channels = architecture.block_out_channels;
  std::vector<VaeBlock<DownSample>> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("encoder.down_blocks.{}", i);
    blocks.push_back({ResnetStack(half, prefix, channels[i], architecture.layers_per_block), std::nullopt});
    if (i == 3) break;
    blocks.back().resampler.emplace(half, prefix + ".downsamplers.0.conv", channels[i], channels[i + 1], kTime[i]);
  }
  return blocks;
}

std::vector<VaeBlock<UpSample>> load_up_blocks(const VaeHalf& half, const VaeArchitecture& architecture) {
  constexpr std::array kTime = {TimeFactor::one, TimeFactor::one, TimeFactor::two, TimeFactor::two};
  const auto& channels = architecture.block_out_channels;
  std::vector<VaeBlock<UpSample>> blocks;
  for (size_t i = 0; i < 4; ++i) {
    const auto prefix = fmt::format("decoder.up_blocks.{}", i);
    const int64_t in = channels[4 - i];
    blocks.push_back({ResnetStack(half, prefix, in, architecture.layers_per_block + 1), std::nullopt});
    if (i == 0) continue;
    blocks.back().resampler.emplace(half, prefix + ".upsamplers.0.conv", in, channels[3 - i], kTime[i]);
  }
  return blocks;
}

DeferredSum convolve_first(const CausalConv3d& conv, const Tensor& x, VideoPass& pass) {
  return conv(extend_in_time(x, pass.frames_before()), pass);
}

/// [B, T, 2h, 2w, C] -> [B, T, h, w, 4C], channel c*4 + y*2 + x: pixel_unshuffle's order.
Tensor patchify(const Tensor& x) {
  const int64_t B = x.size(0), T = x.size(1), h = x.size(2) / 2, w = x.size(3) / 2, C = x.size(4);
  return x.reshape({B, T, h, 2, w, 2, C}).permute({0, 1, 2, 4, 6, 3, 5}).reshape({B, T, h, w, 4 * C});
}

/// The inverse of patchify.
Tensor unpatchify(const Tensor& x) {
  const int64_t B = x.size(0), T = x.size(1), h = x.size(2), w = x.size(3), C = x.size(4) / 4;
  return x.reshape({B, T, h, w, C, 2, 2}).permute({0, 1, 2, 5, 3, 6, 4}).reshape({B, T, 2 * h, 2 * w, C});
}

Tensor channels_last(const Tensor& x) { return x.permute({0, 2, 3, 4, 1}); }
Tensor channels_second(const Tensor& x) { return x.permute({0, 4, 1, 2, 3}); }

void check_pixels(const Tensor& pixels) {
  const bool fits = pixels.dim() == 5 && pixels.numel() > 0 && pixels.size(1) == kRgb &&
                    pixels.size(2) % kFramesPerLatent == 1 && pixels.size(3) % kPixelsPerFeature == 0 &&
                    pixels.size(4) % kPixelsPerFeature == 0;
  if (fits) return;
  fail(ErrorKind::input,
       fmt::format("video to encode: expected [B, 3, F, H, W] with F = 4n + 1 frames and H, W multiples "
                   "of {}, got {}",
                   kPixelsPerFeature, shape_text(pixels.sizes())));
}

void check_features(const Tensor& features, int64_t channels) {
  if (features.dim() == 5 && features.numel() > 0 && features.size(1) == channels) return;
  fail(ErrorKind::input,
       fmt::format("features to decode: expected [B, {}, T, H, W], got {}", channels, shape_text(features.sizes())));
}

/// Calls visit(slice, pass) for slices of `size` frames of x [B, T, ...]. A remainder goes into the first slice: with
/// its frame that has a latent of its own, a full one would be the largest.
void for_each_slice(const Tensor& x, int64_t size, const std::function<void(const Tensor&, VideoPass&)>& visit) {
  VideoPass pass;
  const int64_t total = x.size(1);
  int64_t length = (total - 1) % size + 1;
  for (int64_t start = 0; start < total; start += std::exchange(length, size)) {
    pass.at_end = start + length == total;
    visit(x.narrow(1, start, length), pass);
    pass.end_slice();
  }
}

}  // namespace

/// Pixels to the posterior's mean and log-variance. Source: CogVideoXEncoder3D,
/// infinity/models/videovae/models/wan_bsq_vae.py (`encoder.` in the checkpoint).
struct VideoVae::Encoder {
  Encoder(const VaeHalf& half, const VaeArchitecture& architecture)
      : conv_in(half, "encoder.conv_in", kRgb, architecture.block_out_channels.front()),
        down_blocks(load_down_blocks(half, architecture)),
        mid_block(half, "encoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
        out{ChannelNorm::plain(half, "encoder.norm_out", architecture.block_out_channels.back()),
            CausalConv3d(half, "encoder.conv_out", architecture.block_out_channels.back(),
                         2 * architecture.latent_channels)} {}

  /// A slice of a video [B, F, H, W, 3] -> [B, T, H/8, W/8, 2 * latent_channels]. At the video's start
  /// F = 1 + 4 (T-1), later F = 4 T.
  Tensor operator()(const Tensor& pixels, VideoPass& pass) const {
    DeferredSum x = convolve_first(conv_in, pixels, pass);
    for (const auto& block : down_blocks) x = block(std::move(x), pass);
    return out(mid_block(std::move(x), pass), pass).output.total();
  }

  CausalConv3d conv_in;
  std::vector<VaeBlock<DownSample>> down_blocks;
  ResnetStack mid_block;
  NormConv out;
};

/// Latents to pixels. Source: CogVideoXDecoder3D, infinity/models/videovae/models/wan_bsq_vae.py (`decoder.` in the
/// checkpoint).
struct VideoVae::Decoder {
  Decoder(const VaeHalf& half, const VaeArchitecture& architecture)
      : conv_in(half, "decoder.conv_in", architecture.latent_channels, architecture.block_out_channels.back()),
        mid_block(half, "decoder.mid_block", architecture.block_out_channels.back(), kMidBlockLayers),
        up_blocks(load_up_blocks(half, architecture)),
        out{ChannelNorm::of_half(half, "decoder.norm_out", architecture.block_out_channels.front()),
            CausalConv3d(half, "decoder.conv_out", architecture.block_out_channels.front(), kRgb)} {}

  /// A slice of a video's latents [B, n, h, w, latent_channels] -> [B, F, 8h, 8w, 3]. At the video's start
  /// F = 1 + 4 (n-1), later F = 4 n.
  Tensor operator()(const Tensor& latents, VideoPass& pass) const {
    pass.latents = latents;
    DeferredSum x = mid_block(convolve_first(conv_in, latents, pass), pass);
    for (const auto& block : up_blocks) x = block(std::move(x), pass);
    return out(x, pass).output.total();
  }

  CausalConv3d conv_in;
  ResnetStack mid_block;
  std::vector<VaeBlock<UpSample>> up_blocks;
  NormConv out;
};

VideoVae::VideoVae(const Weights& weights, const VaeArchitecture& architecture, VaeParts parts,
                   at::ScalarType encode_dtype)
    : architecture_(architecture),
      scale_(weights.get("scale_learnable_parameters", {4}, at::kFloat)),
      encode_dtype_(encode_dtype),
      proj_up_(weights, "proj_up", architecture.feature_channels(), architecture.feature_channels(),
               Linear::Bias::present),
      decoder_(
          std::make_shared<Decoder>(VaeHalf{weights, weights.dtype(), architecture.latent_channels}, architecture)) {
  if (parts == VaeParts::decoder) return;
  proj_down_.emplace(weights, "proj_down", architecture.feature_channels(), architecture.feature_channels(),
                     Linear::Bias::present, at::kFloat);
  encoder_ = std::make_shared<Encoder>(VaeHalf{weights, encode_dtype}, architecture);
}

std::vector<std::string> VideoVae::unused_weights(VaeParts parts) {
  std::vector<std::string> prefixes = {"quantizer.", "quantize.", "proj_down_two.", "proj_up_two."};
  if (parts == VaeParts::decoder) prefixes.insert(prefixes.end(), {"encoder.", "proj_down."});
  return prefixes;
}

Tensor VideoVae::encode(const Tensor& pixels, const EncodeOptions& options) const {
  TORCH_CHECK(encoder_, "VideoVae was loaded without its encoder");
  check_pixels(pixels);
  std::optional<ConvolutionScope> convolutions;
  if (options.bits) convolutions.emplace(*options.bits);
  const Tensor frames = channels_last(pixels.to(encode_dtype_)).contiguous();
  std::vector<Tensor> posterior;
  int64_t done = 0;
  for_each_slice(frames, options.slice_frames, [&](const Tensor& slice, VideoPass& pass) {
    posterior.push_back((*encoder_)(slice, pass));
    done += slice.size(1);
    if (options.on_slice) options.on_slice(done);
  });
  const Tensor mean = at::cat(posterior, 1).to(at::kFloat).narrow(-1, 0, architecture_.latent_channels);
  return channels_second((*proj_down_)(patchify(mean)) * scale_[0]).contiguous();
}

Tensor VideoVae::latents_from_features(const Tensor& features) const {
  const Tensor scaled = channels_last(features.to(at::kFloat)) / scale_[0];
  return unpatchify(proj_up_(scaled.to(proj_up_.dtype))).contiguous();
}

void VideoVae::decode(const Tensor& features, const std::function<void(const Tensor&)>& on_frames,
                      const DecodeOptions& options, ProcessGroup* group) const {
  TORCH_CHECK(options.slice_latents > 0, "slice_latents must be at least 1");
  check_features(features, architecture_.feature_channels());
  const Tensor latents = latents_from_features(features);
  if (group && group->size() > 1) return decode_rows(latents, on_frames, options, *group);
  for_each_slice(latents, options.slice_latents,
                 [&](const Tensor& slice, VideoPass& pass) { on_frames(channels_second((*decoder_)(slice, pass))); });
}

/// Every process decodes the rows of its latents, slice by slice, and the first one joins them.
void VideoVae::decode_rows(const Tensor& latents, const std::function<void(const Tensor&)>& on_frames,
                           const DecodeOptions& options, ProcessGroup& group) const {
  const int64_t height = latents.size(2);
  const auto parts = static_cast<int>(std::min<int64_t>(group.size(), height));
  const int rank = group.rank();
  const bool takes_part = rank < parts;  // there may be more processes than rows
  const Share rows = share_of(height, parts, takes_part ? rank : 0);
  const RowNeighbours neighbours{.group = group,
                                 .above = rank > 0 ? std::optional(rank - 1) : std::nullopt,
                                 .below = rank + 1 < parts ? std::optional(rank + 1) : std::nullopt};
  const Tensor own = latents.narrow(2, rows.begin, rows.size()).contiguous();
  for_each_slice(own, options.slice_latents, [&](const Tensor& slice, VideoPass& pass) {
    if (!takes_part) return on_frames({});
    pass.neighbours = &neighbours;
    const Tensor decoded = (*decoder_)(slice, pass).contiguous();  // [B, F, 8 rows, W, 3]
    if (!group.is_first()) {
      group.exchange({{0, decoded}}, {});
      return on_frames({});
    }
    std::vector<Tensor> all = {decoded};
    std::vector<Message> received;
    for (int peer = 1; peer < parts; ++peer) {
      std::vector<int64_t> sizes = decoded.sizes().vec();
      sizes[2] = kPixelsPerLatent * share_of(height, parts, peer).size();
      received.push_back({peer, all.emplace_back(at::empty(sizes, decoded.options()))});
    }
    group.exchange({}, received);
    on_frames(channels_second(at::cat(all, 2)));
  });
}

Tensor to_frames(const Tensor& decoded) {
  TORCH_CHECK(decoded.dim() == 5 && decoded.size(0) == 1 && decoded.size(1) == 3,
              "to_frames: expected [1, 3, F, H, W], got ", decoded.sizes());
  const Tensor unit = at::clamp((decoded + 1) / 2, 0, 1);
  return (unit * 255).to(at::kByte)[0].permute({1, 2, 3, 0}).contiguous();
}

std::optional<Tensor> FrameStream::push(const Tensor& decoded) {
  Tensor frames = format_ == FrameFormat::rgb ? to_frames(decoded) : to_yuv420(decoded);
  if (rule_ == FirstFrame::keep || (started_ && !waiting_)) return frames;
  if (!std::exchange(started_, true)) {
    if (frames.size(0) == 1) {
      waiting_ = frames;
      return std::nullopt;
    }
    frames[0].copy_(frames[1]);
    return frames;
  }
  waiting_.reset();
  return at::cat({frames.narrow(0, 0, 1), frames}, 0);
}

std::optional<Tensor> FrameStream::finish() { return std::exchange(waiting_, std::nullopt); }

}  // namespace faststar
