#include "core/train/packed_clips.h"

#include <ATen/ATen.h>

#include "core/star/attention.h"

namespace faststar {
namespace {

int64_t tokens_of(const Scale& scale, int64_t latents) { return latents * scale.h * scale.w; }

/// Absolute latent frames of a clip.
std::vector<int> frames_of(const PackedClips& packed, int64_t clip) {
  int first = 0;
  for (int64_t earlier = 0; earlier < clip; ++earlier) first += static_cast<int>(packed.clip_latents(earlier));
  std::vector<int> frames;
  for (int i = 0; i < packed.clip_latents(clip); ++i) frames.push_back(first + i);
  return frames;
}

Tensor attend_to(const Tensor& q, const std::vector<Tensor>& k, const std::vector<Tensor>& v) {
  return attend(q, k.size() == 1 ? k[0] : at::cat(k, 1), v.size() == 1 ? v[0] : at::cat(v, 1), AttentionBackend::aten);
}

}  // namespace

PackedClips::PackedClips(PyramidShape pyramid, std::vector<int> clip_latents, int64_t text_length)
    : pyramid_(std::move(pyramid)), clip_latents_(std::move(clip_latents)), text_length_(text_length) {
  lengths_.push_back(text_length);
  for (const int latents : clip_latents_) {
    for (const Scale& scale : pyramid_.scales) lengths_.push_back(tokens_of(scale, latents));
  }
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
  Tensor context_k = k[0], context_v = v[0];
  for (size_t i = 1; i < q.size(); ++i) {
    const bool new_clip = i > 1 && (i - 1) % scales == 0;
    if (new_clip) {
      context_k = at::cat({k[0], k[i - 1]}, 1);
      context_v = at::cat({v[0], v[i - 1]}, 1);
    }
    attended.push_back(attend_to(q[i], {context_k, k[i]}, {context_v, v[i]}));
  }
  return attended;
}

Tensor PackedClips::pack(const std::vector<Tensor>& maps, int64_t batch) const {
  std::vector<Tensor> tokens;
  int64_t first = 0;
  for (const int latents : clip_latents_) {
    for (const Tensor& map : maps) {
      const Tensor own = map.unflatten(0, {batch, -1}).narrow(1, first, latents);  // [B, t, C, h w]
      tokens.push_back(own.transpose(2, 3).flatten(1, 2));
    }
    first += latents;
  }
  return at::cat(tokens, 1);
}

PackedRope::PackedRope(const PackedClips& packed, int64_t head_width, at::Device device)
    : text_(text_rope(packed.text_length(), head_width, device)) {
  const PyramidShape& pyramid = packed.pyramid();
  int index = 0;  // of the repetition over all clips
  for (int64_t clip = 0; clip < packed.clips(); ++clip) {
    const std::vector<int> frames = frames_of(packed, clip);
    const auto latents = static_cast<int>(frames.size());
    for (size_t k = 0; k < pyramid.scales.size(); ++k) {
      const Scale& full = pyramid.scales.back();
      const Scale grid = {latents, pyramid.scales[k].h, pyramid.scales[k].w};
      std::vector<Tensor> cos, sin;
      for (int r = 0; r < pyramid.repetitions[k]; ++r, ++index) {
        const RopePositions positions{kVisualScaleStart + index, frames, grid, {latents, full.h, full.w}};
        const Rope rope = visual_rope(positions, head_width, device);
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
