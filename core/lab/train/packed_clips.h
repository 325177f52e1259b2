#pragma once
#include <span>
#include <vector>

#include "core/lab/train/residual_quantizer.h"
#include "core/model/star/block.h"

namespace faststar {

/// One clip of a packed sequence.
struct PackedClip {
  int place = 0;         ///< among the clips of its video: 0, the image clip, and on
  int first_latent = 0;  ///< latent frames, counted from the video's first
  int latents = 1;
};

/// The clips of a video: the image clip and `video_clips` of so many latents. With `half_clip`, and behind them, the
/// first half of the first video clip once more: a video that ends there.
std::vector<PackedClip> packed_video(int video_clips, int latents_per_clip, bool half_clip = false);

/// The sequence that one training step runs: a text and then every scale of every clip, once each, in the order of
/// generation. Linear layers run over the whole sequence; attention, scale by scale, is what generation does: a scale
/// sees the text, itself, and the last scale of the clip before.
class PackedClips {
 public:
  /// `clips`: see packed_video. The pyramid is that of all clips.
  PackedClips(PyramidShape pyramid, std::vector<PackedClip> clips, int64_t text_length);

  const std::vector<PackedClip>& clips() const { return clips_; }
  /// The lengths of clip `clip` alone, scale by scale.
  std::span<const int64_t> scale_lengths(size_t clip) const;
  int64_t text_length() const { return text_length_; }
  const PyramidShape& pyramid() const { return pyramid_; }

  /// Attention of a packed sequence; refers to this.
  AttentionRule attention() const;

  /// Tokens of all clips in sequence order from one map a scale: maps[k] [B T, C, h w] of all latent frames
  /// (QuantizerTrace) -> [B, tokens, C].
  Tensor pack(const std::vector<Tensor>& maps, int64_t batch) const;

 private:
  std::vector<Tensor> attend_scales(const std::vector<Tensor>& q, const std::vector<Tensor>& k,
                                    const std::vector<Tensor>& v) const;

  PyramidShape pyramid_;
  std::vector<PackedClip> clips_;
  int64_t text_length_;
  std::vector<int64_t> lengths_;  // of the text, the scales of clip 0, those of clip 1, ...
};

/// Rotations of a packed sequence for any choice of repetitions. Holds a table a scale; the choice is a tensor, so
/// that a captured step can be replayed with another one.
class PackedRope {
 public:
  PackedRope(const PackedClips& packed, int64_t head_dim, at::Device device);

  /// repetition [scales] int64 on the device: which repetition of each scale the sequence holds, in every clip.
  Rope operator()(const Tensor& repetition) const;

 private:
  struct Table {
    int64_t scale;
    Tensor cos;  // [repetitions, tokens, D/2]
    Tensor sin;
  };
  Rope text_;
  std::vector<Table> tables_;
};

}  // namespace faststar
