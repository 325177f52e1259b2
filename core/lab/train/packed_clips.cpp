#include "core/lab/train/packed_clips.h"

#include <ATen/ATen.h>

#include <numeric>

#include "core/model/star/attention.h"

namespace faststar {
namespace {

int64_t tokens_of(const Scale& scale, int64_t latents) { return latents * scale.h * scale.w; }

/// Absolute latent frames of a clip.
std::vector<int> frames_of(const PackedClip& clip) {
  std::vector<int> frames(static_cast<size_t>(clip.latents));
  std::iota(frames.begin(), frames.end(), clip.first_latent);
  return frames;
}

Tensor attend_to(const Tensor& q, const std::vector<Tensor>& k, const std::vector<Tensor>& v) {
  return attend(q, k.size() == 1 ? k[0] : at::cat(k, 1), v.size() == 1 ? v[0] : at::cat(v, 1), AttentionBackend::aten);
}

}  // namespace

std::vector<PackedClip> packed_video(int video_clips, int latents_per_clip, bool half_clip) {
  std::vector<PackedClip> clips = {PackedClip{}};
  for (int i = 0; i < video_clips; ++i) {
    clips.push_back({.place = i + 1, .first_latent = 1 + i * latents_per_clip, .latents = latents_per_clip});
  }
  if (half_clip) clips.push_back({.place = 1, .first_latent = 1, .latents = latents_per_clip / 2});
  return clips;
}

PackedClips::PackedClips(PyramidShape pyramid, std::vector<PackedClip> clips, int64_t text_length)
    : pyramid_(std::move(pyramid)), clips_(std::move(clips)), text_length_(text_length) {
  lengths_.push_back(text_length);
  for (const PackedClip& clip : clips_) {
    for (const Scale& scale : pyramid_.scales) lengths_.push_back(tokens_of(scale, clip.latents));
  }
}

std::span<const int64_t> PackedClips::scale_lengths(size_t clip) const {
  const size_t scales = pyramid_.scales.size();
  return std::span(lengths_).subspan(1 + clip * scales, scales);
}

AttentionRule PackedClips::attention() const {
  return [this](size_t, const Tensor& q, const Tensor& k, const Tensor& v) {
    // Split, not slices: the backward of a slice is a tensor of zeros of the whole sequence's size.
    const auto split = [this](const Tensor& packed) { return packed.split_with_sizes(lengths_, 1); };
    return at::cat(attend_scales(split(q), split(k), split(v)), 1);
  };
}

std::vector<Tensor> PackedClips::attend_scales(const std::vector<Tensor>& q, const std::vector<Tensor>& k,
                                               const std::vector<Tensor>& v) const {
  const size_t scales = pyramid_.scales.size();
  std::vector<Tensor> attended = {attend_to(q[0], {k[0]}, {v[0]})};
  for (size_t clip = 0; clip < clips_.size(); ++clip) {
    Tensor context_k = k[0], context_v = v[0];
    if (const auto place = static_cast<size_t>(clips_[clip].place); place > 0) {
      const size_t last_before = place * scales;  // behind the text, the last scale of the clip before
      context_k = at::cat({k[0], k[last_before]}, 1);
      context_v = at::cat({v[0], v[last_before]}, 1);
    }
    for (size_t i = 1 + clip * scales; i < 1 + (clip + 1) * scales; ++i) {
      attended.push_back(attend_to(q[i], {context_k, k[i]}, {context_v, v[i]}));
    }
  }
  return attended;
}

Tensor PackedClips::pack(const std::vector<Tensor>& maps, int64_t batch) const {
  std::vector<Tensor> tokens;
  for (const PackedClip& clip : clips_) {
    for (const Tensor& map : maps) {
      const Tensor own = map.unflatten(0, {batch, -1}).narrow(1, clip.first_latent, clip.latents);  // [B, t, C, h w]
      tokens.push_back(own.transpose(2, 3).flatten(1, 2));
    }
  }
  return at::cat(tokens, 1);
}

PackedRope::PackedRope(const PackedClips& packed, int64_t head_dim, at::Device device)
    : text_(text_rope(packed.text_length(), head_dim, device)) {
  const PyramidShape& pyramid = packed.pyramid();
  const int repetitions_of_clip = std::reduce(pyramid.repetitions.begin(), pyramid.repetitions.end());
  for (const PackedClip& clip : packed.clips()) {
    const std::vector<int> frames = frames_of(clip);
    int index = clip.place * repetitions_of_clip;  // of the repetition over all clips of the video
    for (size_t k = 0; k < pyramid.scales.size(); ++k) {
      const Scale& full = pyramid.scales.back();
      const Scale grid = {clip.latents, pyramid.scales[k].h, pyramid.scales[k].w};
      std::vector<Tensor> cos, sin;
      for (int r = 0; r < pyramid.repetitions[k]; ++r, ++index) {
        const RopePositions positions{kVisualScaleStart + index, frames, grid, {clip.latents, full.h, full.w}};
        const Rope rope = visual_rope(positions, head_dim, device);
        cos.push_back(rope.cos);
        sin.push_back(rope.sin);
      }
      tables_.push_back({static_cast<int64_t>(k), at::stack(cos), at::stack(sin)});
    }
  }
}

Rope PackedRope::operator()(const Tensor& repetition) const {
  std::vector<Tensor> cos = {text_.cos}, sin = {text_.sin};
  for (const Table& table : tables_) {
    const Tensor chosen = repetition.narrow(0, table.scale, 1);
    cos.push_back(table.cos.index_select(0, chosen).squeeze(0));
    sin.push_back(table.sin.index_select(0, chosen).squeeze(0));
  }
  return {at::cat(cos), at::cat(sin)};
}

}  // namespace faststar
