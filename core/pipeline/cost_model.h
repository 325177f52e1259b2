#pragma once
#include "core/pipeline/workload.h"

namespace faststar {

/// Floating-point operations of one pass over the visual tokens, all guidance rows.
double step_flops(const Workload& work, const Step& step);

/// Estimated seconds, for the shares of a progress display. Rates are those of the device kinds we measured.
double step_seconds(const Workload& work, const Step& step);
double decode_seconds(const Workload& work, int64_t latent_frames);
/// Encoding the source; 0 without one.
double encode_seconds(const Workload& work);
double text_seconds(const Workload& work);
/// Reading `bytes` of weights from disk to the device.
double load_seconds(int64_t bytes);

}  // namespace faststar
