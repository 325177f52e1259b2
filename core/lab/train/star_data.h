#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/world/world.h"
#include "core/model/t5.h"

namespace faststar {

/// The transformer is trained on groups of eight clips whose captions have the same number of tokens, so that texts
/// need no mask.
inline constexpr int64_t kBlockClips = 8;

/// At most so many caption lengths are trained on, as each one is a CUDA graph of its own. Rarer ones are left out.
inline constexpr size_t kMaxTextLengths = 40;

/// A group of eight scenes of the pool.
struct CaptionBlock {
  int64_t text_length = 0;
  std::vector<int64_t> clips;  ///< indices of scenes
};

/// A pool of captioned scenes and the endless order in which groups of them are trained on.
class CaptionPool {
 public:
  struct Settings {
    uint64_t seed = 0;
    int64_t scenes = 0;
    int64_t longest_text = 64;   ///< tokens; longer captions are left out
    double length_evenness = 0;  ///< 0: lengths as they come, 1: all equally often
    int worker = 0;              ///< rank of this process
    int workers = 1;             ///< processes that share the scenes
  };
  /// Draws and tokenizes the scenes of this worker.
  CaptionPool(const World& world, const Tokenizer& tokenizer, const Settings& settings);

  /// Group `index` of the order, a pure function of the settings.
  const CaptionBlock& block(int64_t index) const;
  /// Tokens of the longest captions.
  int64_t longest_text() const { return by_length_.rbegin()->first; }
  /// The scenes of a group.
  std::vector<ClipRecord> records(const CaptionBlock& block) const;
  /// The captions of a group: [8, text length] int64.
  Tensor ids(const CaptionBlock& block) const;

 private:
  void draw_scenes(const Tokenizer& tokenizer);
  void form_blocks();
  void drop_rare_lengths();
  int64_t choose_length(int64_t index) const;

  const World& world_;
  Settings settings_;
  std::vector<std::vector<int64_t>> ids_;                   // of every scene
  std::map<int64_t, std::vector<CaptionBlock>> by_length_;  // at least one block each
  mutable std::vector<const CaptionBlock*> order_;          // as far as it was asked for
  mutable std::map<int64_t, size_t> taken_;                 // blocks of a length in `order_`
};

/// A cache of the features of the current clips: encoding a clip costs more than a training step may, so each one is
/// used for a while. The content at a step is a pure function of the step.
class FeatureStore {
 public:
  struct Settings {
    int64_t capacity = 0;       ///< clips
    int64_t first_clips = 0;    ///< before the first step
    int64_t refresh_every = 0;  ///< steps between groups of 8 new ones
  };
  /// Training targets of some clips.
  struct Encoded {
    Tensor features;  ///< [B, 64, T, H, W] of the VAE; bfloat16 here
    Tensor objects;   ///< [B, T, H, W]: objects_in_features
  };
  /// `encode`: records of a group of 8.
  using Encode = std::function<Encoded(const std::vector<ClipRecord>&)>;

  FeatureStore(const CaptionPool& pool, const Settings& settings, Encode encode)
      : pool_(pool), settings_(settings), encode_(std::move(encode)) {}

  /// Encodes what is missing for `step`: now and then one group; all groups when a phase is resumed.
  void advance_to(int64_t step);

  /// Cached groups of one text length.
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
