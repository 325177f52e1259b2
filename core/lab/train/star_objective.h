#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/train/residual_quantizer.h"
#include "core/lab/train/training_step.h"
#include "core/model/pyramid/schedule.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"

namespace faststar {

struct StarLossWeights {
  double image = 0.4;            ///< weight of the image clip; the video clips share the rest
  double scale_exponent = 0.45;  ///< a scale of h x w tokens has weight (h w) ^ this, scaled to a sum of 1
  double object = 0;             ///< extra weight of a token where objects are, or were in the latent before
};

/// Where objects are or have just been: the largest coverage, 0..1, within each feature and the one a latent frame
/// before. `coverage` [B, 1, F, H, W] with F = 1 + 4 k -> [B, 1 + k, H/16, W/16].
Tensor objects_in_features(const Tensor& coverage);

/// Cross-entropy of the bits of one scale of one clip, a scalar: the mean over tokens, each with weight 1 + object *
/// the largest value of `objects` [B, t, H, W] in its area. `logits`: differences of the two logits of every bit, and
/// `bits` bool, both [B, t h w, d].
Tensor scale_loss(const Tensor& logits, const Tensor& bits, const Scale& scale, const Tensor& objects, double object);

/// One clip of a packed sequence.
struct PackedClip {
  int place = 0;         ///< its index in the video; 0 is the image clip
  int first_latent = 0;  ///< latent frames, counted from the video's first
  int latents = 1;
};

/// The clips of a video: the image clip and `video_clips` clips of `latents_per_clip` latents. With `half_clip`, the
/// first half of the first video clip follows once more, as a video that ends there.
std::vector<PackedClip> packed_video(int video_clips, int latents_per_clip, bool half_clip = false);

/// The sequence of one training step: a text and then every scale of every clip, once each, in the order of generation.
/// Linear layers run over the whole sequence. Attention is computed scale by scale, as in generation: a scale sees the
/// text, itself, and the last scale of the clip before.
class PackedClips {
 public:
  /// `clips`: see packed_video. The pyramid is that of all clips.
  PackedClips(PyramidShape pyramid, std::vector<PackedClip> clips, int64_t text_length);

  const std::vector<PackedClip>& clips() const { return clips_; }
  /// The lengths of clip `clip` alone, scale by scale.
  std::span<const int64_t> scale_lengths(size_t clip) const;
  int64_t text_length() const { return text_length_; }
  const PyramidShape& pyramid() const { return pyramid_; }

  /// Attention of a packed sequence: q [B, L, N, D], k and v [B, L, Nkv, D] -> [B, L, N, D].
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) const;

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

/// Rotary embeddings of a packed sequence for any choice of repetitions. Holds one table per scale; the choice is a
/// tensor, so that a captured step can be replayed with another one.
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

/// Prefixes of the two networks that are trained together, in their one vector of weights.
inline constexpr const char* kStarPrefix = "transformer.";
inline constexpr const char* kT5Prefix = "t5.";

/// How the transformer's inputs are corrupted in training.
struct StarNoise {
  double image_clips = 0.5;    ///< share of image clips with wrong bits
  double video_clips = 0.6;    ///< share of video clips with wrong bits
  double most_flips = 0.25;    ///< maximum probability of a wrong bit in them; it is uniform up to this
  double dropped_texts = 0.1;  ///< share of texts replaced by the learned unconditional one
};

/// Networks, schedule, loss and noise of the training of text encoder and transformer.
struct StarPlan {
  StarArchitecture star;
  T5Architecture t5;
  PyramidShape pyramid;
  int latents_per_clip = 8;
  StarLossWeights loss;
  StarNoise noise;
};

/// Inputs of one step: tensors on the training device, filled in place before every step.
struct StarBatch {
  Tensor features;    ///< [B, 64, T, H, W] of the VAE
  Tensor objects;     ///< [B, T, H, W]: objects_in_features
  Tensor ids;         ///< [B, text length] int64
  Tensor noise;       ///< [B, 2 clips + 1] uniform: for each clip, whether and how much it is corrupted; at the end,
                      ///< whether the text is dropped
  Tensor repetition;  ///< [scales] int64: which repetition of each scale is trained
  Tensor counter;     ///< [1] int64: CodeNoise
};

/// The transformer's loss: per-bit cross-entropy over a packed sequence.
class StarObjective {
 public:
  struct Settings {
    StarPlan plan;
    at::ScalarType dtype = at::kBFloat16;  ///< of matrix products; the residual stream is float32
    uint64_t seed = 0;
  };
  /// `quantizer` is referred to and has the pyramid of `packed`.
  StarObjective(const ResidualQuantizer& quantizer, PackedClips packed, Settings settings, at::Device device);

  /// Statistics: loss, then the scales' losses.
  BatchLoss operator()(const BoundParameters& parameters, const StarBatch& batch) const;

  /// Differences of the two logits of every bit: a tensor [B, tokens, d] for the semantic and one for the detail
  /// scales of each clip.
  std::vector<Tensor> bit_logits(const BoundParameters& parameters, const StarBatch& batch, const Tensor& inputs) const;

  /// Codes that the transformer gets as input and bits that it has to predict.
  QuantizerTrace trace(const StarBatch& batch, const CodeNoise* noise) const;

  const PackedClips& packed() const { return packed_; }
  /// "loss", "image 1x1" ... of a sequence of `clips`.
  static std::vector<std::string> statistics(const PyramidShape& pyramid, const std::vector<PackedClip>& clips);

 private:
  /// Consecutive scales of one clip that the same head predicts.
  struct Segment {
    size_t clip;
    size_t first_scale, end_scale;
    int64_t start, length;  // tokens in the packed sequence
    Head head;
  };
  Tensor texts(const BoundParameters& parameters, const StarTransformer& star, const StarBatch& batch) const;
  CodeNoise code_noise(const StarBatch& batch) const;
  /// Of every scale of every clip: [clips * scales].
  Tensor scale_losses(const std::vector<Tensor>& bit_logits, const QuantizerTrace& trace, const Tensor& objects) const;
  void find_segments();

  const ResidualQuantizer& quantizer_;
  PackedClips packed_;
  Settings settings_;
  PackedRope rope_;
  Tensor buckets_;        // of T5's position bias
  Tensor scale_weights_;  // [clips * scales]
  std::vector<Segment> segments_;
};

}  // namespace faststar
