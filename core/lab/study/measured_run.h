#pragma once
#include <optional>
#include <vector>

#include "core/lab/study/part_timer.h"
#include "core/pipeline/pipeline.h"

namespace faststar {

/// Statistics of one reduced pass.
struct ReducedPassRecord {
  int scale = 0;  ///< counted over all clips
  int repetition = 0;
  int64_t tokens = 0;
  int64_t kept = 0;
  std::optional<double> spatial;       ///< mean similarity with the earlier map, -1..1; if the method computes it
  std::optional<double> temporal;      ///< with the reference
  std::optional<double> pruned_again;  ///< fraction of the positions pruned in the previous reduced pass
};

/// What guidance makes of the computed tokens.
struct GuidanceWork {
  int64_t one_row_passes = 0;  ///< passes without the unconditional row, because guidance was reused
  int64_t one_row_tokens = 0;  ///< computed tokens of these
  double work = 1;             ///< rows x computed tokens, as a fraction of all rows x all tokens
};

/// One generated clip with its measurements.
struct MeasuredRun {
  Tensor codes;                 ///< accumulated features [1, 64, T, H, W]
  std::vector<Tensor> bits;     ///< of every step, including the given ones
  std::vector<double> step_ms;  ///< by step; 0 for steps that were not computed
  int64_t tokens = 0;           ///< of all passes
  int64_t kept = 0;             ///< of these, computed
  GuidanceWork guidance;
  std::vector<ReducedPassRecord> passes;
  std::vector<double> high_frequency;  ///< fraction by scale after its last repetition; empty unless requested
};

enum class Spectrum { leave, measure };

/// Generates a clip and times every pass. `spectrum`: whether high_frequency is measured.
MeasuredRun measure_run(const Pipeline& pipeline, const Schedule& schedule, const GenerationSettings& settings,
                        const GenerationInput& input, Spectrum spectrum = Spectrum::leave);

/// Generates the clip again to time the parts of every pass, by step; 0 for steps that were not computed. Timing the
/// parts adds some time, so whole passes are timed by measure_run.
std::vector<PartTimes> time_parts(const Pipeline& pipeline, const Schedule& schedule,
                                  const GenerationSettings& settings, const GenerationInput& input);

/// Shares of the bits, by step, that these settings draw otherwise than `bits` when every pass reads what `bits` say
/// (teacher forcing): what other arithmetic changes by itself. `pipeline` may have another precision than the one that
/// drew `bits`. 0 for steps that were not computed.
std::vector<double> flipped_bits(const Pipeline& pipeline, const Schedule& schedule, const GenerationSettings& settings,
                                 const GenerationInput& input, const std::vector<Tensor>& bits);

/// Number of first steps that neither token reduction nor guidance reuse can change: those before the scale that
/// precedes the first changed one (some methods read that scale, and guidance is carried on from it). Their bits can be
/// taken from a dense run.
size_t shared_steps(const GenerationSettings& settings, const Schedule& schedule);

/// Fraction of a map's energy at high spatial frequencies: above half of the Nyquist frequency of rows or columns,
/// without the mean of each channel and frame; 0 for a constant map. map [1, C, T, H, W] float32. Waits for the device.
double high_frequency_share(const Tensor& map);

}  // namespace faststar
