#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/process_group.h"
#include "core/model/layers.h"
#include "core/model/star/attention.h"

namespace faststar {

/// What one pass leaves for later ones to attend to, keys after norm and RoPE: an entry a layer.
using PassKv = std::vector<LayerKv>;

/// Keys and values of the earlier passes that a pass attends to (its context): text, then references. Every layer has
/// them in one buffer, with room behind them where a short pass writes its own, so that nothing is joined by copying.
class KvCache {
 public:
  /// No context.
  KvCache() = default;

  /// text: one entry for the whole guidance batch, or one for each of its rows where their lengths differ.
  /// references: of the last scale of the clip before, or of the interactive conditions; see set_references.
  /// room: tokens of the longest pass that writes behind the context.
  explicit KvCache(std::vector<PassKv> text, std::vector<PassKv> references = {}, int64_t room = 0);

  /// Puts these behind the text, in place of the references before. They have as many rows as the guidance batch, or
  /// one that serves all.
  void set_references(std::vector<PassKv> references);

  /// Tokens in front of a pass's own.
  int64_t length() const { return length_; }
  /// Tokens that a layer's buffer holds.
  int64_t capacity() const { return length_ + room_; }
  /// The first token of a row's context: texts end at the same place, so a shorter one begins later.
  int64_t begin(int64_t row) const { return begins_[static_cast<size_t>(row)]; }
  /// True when the context of `rows` rows, from `first` on, begins at 0.
  bool is_aligned(int64_t first, int64_t rows) const;
  /// Keys and values of one layer: [B, capacity, Nkv, D], the context first.
  const LayerKv& layer(size_t index) const { return layers_[index]; }

 private:
  PassKv layers_;
  std::vector<int64_t> begins_;  ///< by row
  int64_t text_length_ = 0;      ///< of the longest text
  int64_t length_ = 0;
  int64_t room_ = 0;
};

/// Attention of the layers of one pass. The rule decides what else the queries see.
class AttentionRule {
 public:
  virtual ~AttentionRule() = default;
  /// Where a layer puts the keys and values of `tokens` tokens in `rows` rows: [rows, tokens, Nkv, D] each, to be
  /// written before attend(). Undefined: into new tensors.
  virtual LayerKv place(size_t layer, int64_t rows, int64_t tokens);
  /// q [B, L, N, D], own keys and values [B, L, Nkv, D] -> [B, L, N, D].
  virtual Tensor attend(size_t layer, const Tensor& q, const LayerKv& own) = 0;
};

/// The part of a KvCache that a pass reads: its rows from `first_row` on, and these kv heads.
struct KvShare {
  int64_t first_row = 0;
  std::optional<Share> heads = {};  ///< none: all
};

/// The rule of generation: a pass sees its cache and itself. A pass of B rows reads B rows of the cache, the first ones
/// unless `share` says otherwise. Rows whose texts differ in length attend one by one.
class CachedAttention final : public AttentionRule {
 public:
  /// Keys and values of the pass go to `own`, with an entry a layer, when it is given. Refers to its arguments.
  CachedAttention(const KvCache& cache, AttentionSettings settings, PassKv* own = nullptr, KvShare share = {})
      : cache_(cache), settings_(settings), own_(own), share_(share) {}

  LayerKv place(size_t layer, int64_t rows, int64_t tokens) override;
  Tensor attend(size_t layer, const Tensor& q, const LayerKv& own) override;

 private:
  /// The rows of a layer's buffer that the pass reads.
  LayerKv buffer(size_t layer, int64_t rows) const;
  Tensor attend_row_by_row(const Tensor& q, const LayerKv& context_and_own) const;

  const KvCache& cache_;
  AttentionSettings settings_;
  PassKv* own_;
  KvShare share_;
  LayerKv joined_;  ///< of the layer at work: context and own tokens
};

}  // namespace faststar
