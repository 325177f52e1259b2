#pragma once
#include <string>
#include <vector>

/// What a user can choose about token reduction, as plain values. Names of fields and choices are those of the YAML
/// section `reduction` (core/config/reduction.h).
namespace faststar {

enum class ReductionMethod { none, faststar, fastvar, sparsevar, tome, stepvar, random, skip };
/// Bundles of FastSTAR's options: the literal reading of the paper, exact counts, the cheapest, and our own best.
enum class ReductionPreset { paper, exact, fast, beyond };
/// Whether tokens of a clip compete in one pool or frame by frame.
enum class TopKScope { clip, frame };
/// What orders tokens of equal score: a random number keyed by position, or the position.
enum class TieBreak { hash, index };
/// How the guidance rows of layer features become one score.
enum class GuidanceRows { mean, cond };
/// Where APG's norm and projection come from in a reduced pass.
enum class ApgStatistics { kept, last_full };
enum class KeyValueStore { kept };

/// Scales of every video clip that are reduced: the last ones, or a list. A listed number counts scales within a clip
/// or over the image clip and the first video clip (11 and 26 are one scale at 720p).
struct ReducedScales {
  int last = 4;
  std::vector<int> listed;  ///< wins over `last` unless empty
  bool operator==(const ReducedScales&) const = default;
};

enum class Scorer { spatiotemporal, spatial, temporal, random, oracle };
/// p of the norm that joins the two distances.
enum class NormDegree { one, two, infinity };
/// Which earlier map the spatial similarity compares with.
enum class SpatialPrevious { prev_scale, prev_iter, last_full };
/// Temporal reference of the first video clip.
enum class FirstReference { image_last_scale, intra_clip, none };
/// Temporal reference of later clips.
enum class TemporalReference { prev_clip_same_scale, prev_clip_last_scale, prev_clip_last_frame, intra_clip };
/// Frames of a reference that has another number of them.
enum class FrameMatch { clamp, resample };
enum class ScoreNorm { none, minmax, rank };
enum class SpatialMemory { none, carry };
/// How the mask of the feature map becomes one of tokens.
enum class MaskDown { area_topk, nearest, nearest_exact, area_half, token_topk };
enum class UpdateMask { feature, token };
/// Codes of pruned tokens before the upsampling of the partial update.
enum class UpdateBoundary { zero, normalized, nn_fill };

/// FastSTAR: spatio-temporal token pruning (STTP) and partial update (PU), arXiv:2603.07192.
struct FastStarOptions {
  Scorer scorer = Scorer::spatiotemporal;
  NormDegree p = NormDegree::two;
  SpatialPrevious spatial_prev = SpatialPrevious::prev_scale;
  FirstReference temporal_ref_first = FirstReference::image_last_scale;
  TemporalReference temporal_ref = TemporalReference::prev_clip_same_scale;
  FrameMatch t_match = FrameMatch::clamp;
  ScoreNorm score_norm = ScoreNorm::none;
  SpatialMemory spatial_memory = SpatialMemory::none;
  MaskDown mask_down = MaskDown::area_topk;
  UpdateMask pu_mask = UpdateMask::feature;
  UpdateBoundary pu_boundary = UpdateBoundary::zero;
  double eps = 1e-8;  ///< norms below it count as zero
};

/// Which full pass FastVAR's restored outputs come from.
enum class FastVarCache { first, latest_full };
enum class TokenMean { clip, frame };
struct FastVarOptions {
  std::vector<int> layers;  ///< [first, end); empty: the share of the depth that 4 to 31 of 36 is
  FastVarCache cache = FastVarCache::first;
  TokenMean mean = TokenMean::clip;
};

enum class RatioMode { fixed, dynamic };
struct SparseVarOptions {
  RatioMode ratio_mode = RatioMode::fixed;
  double theta = 0.6;           ///< dynamic: share of the largest change above which a token is kept
  int window = 4;               ///< anchors stand on every so many rows and columns
  std::vector<int> mse_layers;  ///< [first, end) whose change is measured; empty: the share that 18 to 24 of 36 is
  double beta = 0.9;            ///< cosine above which an anchor's output is copied
  bool force_anchors = true;    ///< anchors are kept first, inside the budget
};

enum class MergeScope { layer, backbone };
enum class Matching { strided, alternate };
enum class MergeMode { mean, replace };
struct ToMeOptions {
  MergeScope scope = MergeScope::layer;
  Matching matching = Matching::strided;
  std::vector<int> dst_stride = {2, 2, 2};  ///< (t, h, w): one destination a cell
  bool dst_rand = true;                     ///< the cell's member is drawn, else its first
  MergeMode merge_mode = MergeMode::mean;
};

enum class StepVarNormalize { minmax, none };
enum class StepVarRestore { logits, codes };
struct StepVarOptions {
  double weight = 1;  ///< of the structure score
  StepVarNormalize normalize = StepVarNormalize::minmax;
  int iters = 8;   ///< of the power iteration
  int pool = 3;    ///< edge of the local mean
  int pool_t = 1;  ///< its frames
  StepVarRestore restore = StepVarRestore::logits;
};

enum class Resample { iter, clip };
struct RandomOptions {
  Resample resample = Resample::iter;
};

struct ReductionSettings {
  ReductionMethod method = ReductionMethod::none;
  ReducedScales scales;
  std::vector<double> ratios = {0.2, 0.3, 0.4, 0.7};  ///< fraction of tokens removed; one a scale, or one for all
  bool last_rep_full = true;                          ///< the last of several repetitions of a scale is never reduced
  bool prune_image_clip = false;
  TopKScope topk_scope = TopKScope::clip;
  int keep_align = 1;  ///< kept counts are rounded up to a multiple
  TieBreak tie_break = TieBreak::hash;
  GuidanceRows cfg_mask = GuidanceRows::mean;
  ApgStatistics apg_stats = ApgStatistics::kept;
  KeyValueStore kv_store = KeyValueStore::kept;
  double multi_clip_last_ratio_cap = 1;  ///< largest ratio of scales whose keys and values a later clip reads
  FastStarOptions faststar;
  FastVarOptions fastvar;
  SparseVarOptions sparsevar;
  ToMeOptions tome;
  StepVarOptions stepvar;
  RandomOptions random;
};

}  // namespace faststar
