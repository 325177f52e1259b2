#pragma once
#include <vector>

#include "core/model/pyramid/schedule.h"

/// What a user can choose about token reduction, as plain values. Names of fields and choices are those of the YAML
/// section `reduction` (core/config/reduction.h).
namespace faststar {

enum class ReductionMethod { none, faststar, fastvar, sparsevar, tome, stepvar, random, skip };
/// Bundles of FastSTAR's options: the literal reading of the paper, exact counts, the cheapest, and our own best.
enum class ReductionPreset { paper, exact, fast, beyond };
/// Where APG's norm and projection come from in a reduced pass.
enum class ApgStatistics { kept, last_full };

enum class Scorer { spatiotemporal, spatial, temporal, random, oracle };
/// p of the norm that joins the two distances.
enum class NormDegree { one, two, infinity };
/// How the mask of the feature map becomes one of tokens.
enum class MaskDown { area_topk, nearest, token_topk };
enum class UpdateMask { feature, token };

/// FastSTAR: spatio-temporal token pruning (STTP) and partial update (PU), arXiv:2603.07192.
struct FastStarOptions {
  Scorer scorer = Scorer::spatiotemporal;
  NormDegree p = NormDegree::two;
  MaskDown mask_down = MaskDown::area_topk;
  UpdateMask pu_mask = UpdateMask::feature;
};

struct FastVarOptions {
  std::vector<int> layers;  ///< [first, end); empty: the share of the depth that 4 to 31 of 36 is
};

enum class RatioMode { fixed, dynamic };
struct SparseVarOptions {
  RatioMode ratio_mode = RatioMode::fixed;
  double theta = 0.6;           ///< dynamic: share of the largest change above which a token is kept
  std::vector<int> mse_layers;  ///< [first, end) whose change is measured; empty: the share that 18 to 24 of 36 is
  double beta = 0.9;            ///< cosine above which an anchor's output is copied
};

/// Destinations of the merge: one drawn in each cell (tomesd), or every other token (ToMe).
enum class Matching { strided, alternate };
struct ToMeOptions {
  Matching matching = Matching::strided;
  std::vector<int> dst_stride = {2, 2, 2};  ///< (t, h, w) of a cell
};

enum class StepVarNormalize { minmax, none };
struct StepVarOptions {
  double weight = 1;  ///< of the structure score
  StepVarNormalize normalize = StepVarNormalize::minmax;
};

struct ReductionSettings {
  ReductionMethod method = ReductionMethod::none;
  ScaleChoice scales;
  std::vector<double> ratios = {0.2, 0.3, 0.4, 0.7};  ///< fraction of tokens removed; one a scale, or one for all
  bool prune_image_clip = false;
  int keep_align = 1;  ///< kept counts are rounded up to a multiple
  ApgStatistics apg_stats = ApgStatistics::kept;
  FastStarOptions faststar;
  FastVarOptions fastvar;
  SparseVarOptions sparsevar;
  ToMeOptions tome;
  StepVarOptions stepvar;
};

}  // namespace faststar
