#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "core/lab/world/clip_source.h"
#include "core/model/text/tokenizer.h"

namespace faststar {

/// Clips go through the transformer's training in groups of eight whose captions have one length in tokens: texts
/// need no mask then.
inline constexpr int64_t kBlockClips = 8;

/// Lengths that are trained on, at most: each is a step of its own to record. Rarer ones are left out.
inline constexpr size_t kMaxTextLengths = 40;

/// Eight scenes of the pool.
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
    int worker = 0;              ///< which of
    int workers = 1;             ///< several that share the scenes
  };
  /// Draws and tokenizes the scenes of this worker.
  CaptionPool(const World& world, const Tokenizer& tokenizer, const Settings& settings);

  /// Group `index` of the order: a pure function of the settings.
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

}  // namespace faststar
