#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/model/star/generator.h"

namespace faststar {

/// What reduction saw, decided and did in a run, step by step, so that anyone can recompute it. Held on the CPU until
/// it is written.
class ReductionTrace {
 public:
  /// The first step's time counts from here.
  ReductionTrace() : last_(Clock::now()) {}

  /// Is called with every reduced step. NNN being its index, the tensors `step.NNN.*` are, as far as the method has
  /// them, over the clip's grid T x H x W and the scale's t x h x w (T = t):
  ///
  /// - `input_features` [1, 64, T, H, W]: F, the accumulated features at the entry of the step
  /// - `prev_features` [1, 64, T, H, W]: the earlier F that space is compared with
  /// - `reference_features` [1, 64, T, H, W]: what time is compared with, frame by frame
  /// - `spatial_similarity` [T, H, W]: S_s, cosine of prev_features and F over the channels; 1 of two zero vectors, 0
  ///   of one
  /// - `temporal_similarity` [T, H, W]: S_t, the same of F and reference_features
  /// - `score` [T, H, W]: D = max(1 - S_s, 0)^p + max(1 - S_t, 0)^p, no root; with p inf the larger of the two
  /// - `feature_mask` [T, H, W] uint8: the T H W - floor(ratio T H W) positions of the largest D
  /// - `token_mask` [t, h, w] uint8: the tokens that are computed, t h w - floor(ratio t h w) of them: those with most
  ///   of their area in feature_mask, then with the largest mean of D over it (mask_down area_topk); position i along
  ///   an axis has the area from floor(i H / h) up to ceil((i + 1) H / h)
  /// - `kept` [K] int32: their indices in token_mask, ascending
  /// - `codes` [1, d, t, h, w]: bits as +-1/sqrt(d), d = 16 or 64; 0 where nothing was computed
  /// - `output_features` [1, 64, T, H, W]: F + feature_mask * codes at the full size, interpolated linearly along rows
  ///   and columns, and from 16 to 64 along the channels
  ///
  /// S and D are float32: sums run over the channels in order, a fused multiply-add each, and S is the sum of products
  /// over the product of the two norms, every operation rounded once. What ties is ordered by word 0 of Philox4x32-10,
  /// the larger word first: key seed, counter {index in the grid, 0, scale << 16 | repetition << 8 |
  /// 2, clip}.
  void add_reduced(const ReducedStep& reduced);
  /// Is called with every step after the device has finished it; takes the time since the one before.
  void add_step(const Step& step, const Scale& scale, int64_t kept, int64_t rows);
  /// Writes a safetensors file whose metadata key `faststar` holds a JSON object: settings, seed, and all steps with
  /// clip, scale, repetition, grid, tokens, kept, rows (of the
  /// guidance batch), milliseconds. Throws Error(output).
  void write(const std::filesystem::path& file, const std::string& settings_json, int64_t seed,
             Existing existing) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct StepRecord {
    Step step;
    Scale scale;
    int64_t kept = 0;
    int64_t rows = 0;
    double milliseconds = 0;
  };

  std::map<std::string, Tensor> tensors_;
  std::map<int, int64_t> kept_;  ///< by step index, where a method kept other counts than the gate says
  std::vector<StepRecord> steps_;
  Clock::time_point last_;
};

}  // namespace faststar
