#pragma once
#include <functional>
#include <map>
#include <vector>

#include "core/lab/train/caption_blocks.h"

namespace faststar {

/// The features of the clips that are trained on now: encoding a clip costs more than a training step may, so that
/// each is used for a while. What it holds at a step is a pure function of the step.
class FeatureStore {
 public:
  struct Settings {
    int64_t capacity = 0;       ///< clips
    int64_t first_clips = 0;    ///< before the first step
    int64_t refresh_every = 0;  ///< steps between groups of 8 new ones
  };
  /// What the transformer is trained on of some clips.
  struct Encoded {
    Tensor features;  ///< [B, 64, T, H, W] of the VAE; bfloat16 here
    Tensor objects;   ///< [B, T, H, W]: objects_in_features
  };
  /// `encode`: records of a group of 8.
  using Encode = std::function<Encoded(const std::vector<ClipRecord>&)>;

  FeatureStore(const CaptionPool& pool, const Settings& settings, Encode encode)
      : pool_(pool), settings_(settings), encode_(std::move(encode)) {}

  /// Encodes what is missing for `step`: one group at times; after a start in the middle of a stage, all of them.
  void advance_to(int64_t step);

  /// Groups that are held, by text length.
  struct Choice {
    int64_t text_length = 0;
    std::vector<int64_t> slots;
  };
  /// Draws `groups` different groups of one length. `seed` and `step` decide.
  Choice choose(int64_t groups, uint64_t seed, int64_t step) const;

  /// The clips of a choice, and their captions [8 groups, text length].
  Encoded clips(const Choice& choice) const;
  Tensor ids(const Choice& choice) const;

 private:
  int64_t slots() const { return settings_.capacity / kBlockClips; }
  void put(int64_t index);

  const CaptionPool& pool_;
  Settings settings_;
  Encode encode_;
  int64_t next_ = 0;                                   // group of the pool's order
  std::vector<Encoded> encoded_;                       // of every slot
  std::vector<const CaptionBlock*> blocks_;            // of every slot
  std::map<int64_t, std::vector<int64_t>> by_length_;  // slots
};

}  // namespace faststar
