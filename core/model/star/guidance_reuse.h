#pragma once
#include <vector>

#include "core/model/star/guidance.h"

/// Guidance reuse: some passes, most of them of the video clips, run the conditional row of the guidance batch alone. They sample from
/// the conditional logits plus what guidance added in the newest pass that ran both rows.
namespace faststar {

/// How many rows of the guidance batch each pass runs.
class GuidanceRows {
 public:
  /// The same number in every pass.
  explicit GuidanceRows(int64_t rows) : all_(rows) {}
  /// Throws Error(usage) when the settings name scales that do not exist.
  GuidanceRows(const GuidanceSettings& settings, const Schedule& schedule);

  /// Rows of the passes that leave none out: 2, or 1 without guidance.
  int64_t all() const { return all_; }
  int64_t of(const Step& step) const;
  /// True when the unconditional row of this pass is left out.
  bool reuses(const Step& step) const { return of(step) < all_; }

 private:
  int64_t all_;
  bool repetitions_ = false;  ///< every repetition after a scale's first
  std::vector<bool> scales_;  ///< every repetition; by absolute scale, empty: none
  int first_clip_ = 0;        ///< repetitions of clips before it run all rows
};

/// What the passes of a run compute.
struct PassTotals {
  int64_t passes = 0;
  int64_t tokens = 0;          ///< of all passes
  int64_t kept = 0;            ///< of these, computed
  int64_t one_row_passes = 0;  ///< passes without the unconditional row, because guidance is reused
  int64_t one_row_tokens = 0;  ///< computed tokens of these
  int64_t computed_rows = 0;   ///< computed tokens of all passes, counted once a guidance row
  int64_t all_rows = 0;        ///< the same without any saving

  /// A pass over `tokens` tokens, of which `kept` are computed.
  void add(const GuidanceRows& rows, const Step& step, int64_t tokens, int64_t kept);
  /// Fraction of the work of a run without any saving.
  double work() const { return static_cast<double>(computed_rows) / static_cast<double>(all_rows); }
};

/// What guidance added to the conditional logits: guided - conditional, for every token of a scale. It is kept from the
/// newest pass that ran both rows.
class CarriedGuidance {
 public:
  /// After a pass with both rows. difference [L, 2 d]: of the tokens `drawn` [L] int64; undefined: of all. The other
  /// tokens keep what an earlier pass of the clip left, or 0.
  void keep(int clip, const Scale& scale, const Tensor& difference, const Tensor& drawn);
  /// The difference at another scale of the clip, interpolated over rows and columns: [L, channels] of the tokens
  /// `drawn`. Undefined when no pass of this clip with as many channels (the same head) ran both rows.
  Tensor at(int clip, const Scale& scale, int64_t channels, const Tensor& drawn) const;

 private:
  /// For all tokens of `scale`: [t h w, channels]; undefined as above.
  Tensor whole(int clip, const Scale& scale, int64_t channels) const;

  int clip_ = -1;
  Scale scale_;
  Tensor difference_;  ///< [t h w, 2 d]
};

}  // namespace faststar
