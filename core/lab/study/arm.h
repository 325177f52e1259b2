#pragma once
#include <map>
#include <vector>

#include "core/lab/evaluate/tested_model.h"
#include "core/lab/study/part_timer.h"

namespace faststar {

/// What one reduced pass did.
struct ReducedPassRecord {
  int scale = 0;  ///< absolute
  int repetition = 0;
  int64_t tokens = 0;
  int64_t kept = 0;
  std::optional<double> spatial;       ///< mean similarity with the earlier map, -1..1; where the method looks at it
  std::optional<double> temporal;      ///< with the reference
  std::optional<double> pruned_again;  ///< share, 0..1, of the positions pruned in the reduced pass before
};

/// One generated clip and what it took.
struct ArmRun {
  Tensor codes;                 ///< accumulated features [1, 64, T, H, W]
  std::vector<Tensor> bits;     ///< of every step, the given ones included
  std::vector<double> step_ms;  ///< by step; 0 where nothing ran
  int64_t tokens = 0;           ///< of all passes
  int64_t kept = 0;             ///< of these, computed
  std::vector<ReducedPassRecord> passes;
  std::vector<double> high_frequency;  ///< share by scale after its last repetition; empty unless it was wanted
};

enum class Spectrum { leave, measure };

struct ArmRequest {
  const TextFeatures& text;
  uint64_t seed = 0;
  std::vector<Tensor> given;  ///< bits of the first steps
  ReductionSettings reduction;
  AttentionBackend attention = AttentionBackend::automatic;
  Spectrum spectrum = Spectrum::leave;
};

/// Generates a clip, timing every pass.
ArmRun run_arm(const TestedModel& model, const Schedule& schedule, const ArmRequest& request);

/// Generates the clip once more for the times of the parts of every pass, by step; 0 where nothing ran. The marks
/// between parts take time too: whole passes are run_arm's to time.
std::vector<PartTimes> time_parts(const TestedModel& model, const Schedule& schedule, const ArmRequest& request);

/// How many steps at the beginning `reduction` cannot touch: those before the scale before the first reduced one (which
/// some methods look at). Their bits can be taken from a dense run.
size_t shared_steps(const ReductionSettings& reduction, const Schedule& schedule, const Repetitions& repetitions);

}  // namespace faststar
