#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/pipeline/workload.h"

/// How long a run takes: the arithmetic of its Workload over the rates that were measured on this machine, or over what
/// we measured on another one (tests/bench/NOTES.md).
namespace faststar {

/// True when a pass attends in E4M3, and can.
bool attention_is_fp8(const Workload& work, const Step& step);

/// Estimated seconds of a pass. What several GPUs tell each other is left out: nobody has measured it.
double step_seconds(const Workload& work, const Step& step);
double decode_seconds(const Workload& work, int64_t latent_frames);
/// Encoding the source; 0 without one.
double encode_seconds(const Workload& work);
double text_seconds(const Workload& work);
/// From the last decoded frame to the complete file, and all that lies between the stages of a video.
double file_seconds(const Workload& work);
/// Loading `bytes` of weights.
double load_seconds(const Workload& work, int64_t bytes);

/// How long a run takes from its plan on.
struct TimeEstimate {
  double seconds = 0;
  double first = 0;       ///< of these, spent once in a process: loading, and what first calls cost
  bool measured = false;  ///< from rates of this machine; else a guess
  int processes = 1;      ///< that share the work
};

/// Which rates have to be measured for an estimate that is no guess.
struct NeededRates {
  bool generates = true;  ///< false: only the decoder runs
  bool loads = true;      ///< weights come from files
};

/// True when `work` has all rates that its run depends on.
bool is_measured(const Workload& work, const NeededRates& needed);
/// True when we have figures of this kind of device.
bool can_guess_time(at::Device device);

/// {"seconds_estimate": 14.2, "estimate_source": "measured" or "guess"}; both null without an estimate.
nlohmann::ordered_json to_json(const std::optional<TimeEstimate>& estimate);

/// "about 14 s (measured on this machine)"; without an estimate what would give one.
std::string time_text(const std::optional<TimeEstimate>& estimate);

}  // namespace faststar
