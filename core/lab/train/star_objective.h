#pragma once
#include <string>
#include <vector>

#include "core/lab/train/objective.h"
#include "core/lab/train/packed_clips.h"
#include "core/lab/train/star_loss.h"
#include "core/model/star/transformer.h"
#include "core/model/text/t5.h"

namespace faststar {

/// Prefixes of the two networks that are trained together, in their one vector of weights.
inline constexpr const char* kStarPrefix = "transformer.";
inline constexpr const char* kT5Prefix = "t5.";

/// How inputs of the transformer are spoiled in training.
struct StarNoise {
  double image_clips = 0.5;    ///< share of image clips with wrong bits
  double video_clips = 0.6;    ///< share of video clips with wrong bits
  double most_flips = 0.25;    ///< their probability of a wrong bit is uniform up to this
  double dropped_texts = 0.1;  ///< share of texts replaced by the learned unconditional one
};

/// What one step reads. Tensors on the training device, filled in place before every step.
struct StarBatch {
  Tensor features;    ///< [B, 64, T, H, W] of the VAE
  Tensor objects;     ///< [B, T, H, W]: objects_in_features
  Tensor ids;         ///< [B, text length] int64
  Tensor noise;       ///< [B, 2 clips + 1] uniform, of the video's clips: who is flipped and how much, a pair a clip;
                      ///< whose text is dropped
  Tensor repetition;  ///< [scales] int64: which repetition of each scale is trained
  Tensor counter;     ///< [1] int64: CodeNoise
};

/// Features to the bits of every scale: per-bit cross-entropy of the packed sequence.
class StarObjective {
 public:
  struct Settings {
    StarArchitecture star;
    T5Architecture t5;
    StarLossWeights loss;
    StarNoise noise;
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

  /// Codes that the transformer reads and bits that it has to say.
  QuantizerTrace trace(const StarBatch& batch, const CodeNoise* noise) const;

  const PackedClips& packed() const { return packed_; }
  /// "loss", "image 1x1" ... of a sequence of `clips`.
  static std::vector<std::string> statistics(const PyramidShape& pyramid, const std::vector<PackedClip>& clips);

 private:
  /// A run of scales of one clip that one head predicts.
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
