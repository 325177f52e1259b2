#pragma once
#include <optional>

#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/gate.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// What one video costs depends on this alone: known before any weight is loaded.
struct Workload {
  StarArchitecture star;
  T5Architecture t5;
  VaeArchitecture vae;
  Schedule schedule = Schedule({Scale{}});
  Repetitions repetitions;
  int64_t guidance_rows = 2;  ///< 2 with guidance, else 1
  int64_t text_tokens = 512;
  int64_t condition_tokens = 0;  ///< of the interactive conditions, which every step attends to
  int given_clips = 0;           ///< first clips whose bits come from a picture or video
  int64_t source_frames = 0;     ///< frames of that picture or video
  int64_t decoded_latents = 0;   ///< latent frames that the decoder gets at the end
  bool preview = false;          ///< each clip is decoded once while the transformer works
  bool warm = false;             ///< the device has run such passes before
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  std::optional<ReductionGate> gate;  ///< none: every pass computes every token
};

/// Tokens that a step computes.
int64_t tokens_of(const Workload& work, const Step& step);
/// Rows of a step's residual stream: methods that reduce inside of layers keep them all.
int64_t stream_tokens_of(const Workload& work, const Step& step);

/// Tokens that a step attends to besides its own: text and what the last scale of the clip before kept.
int64_t context_tokens(const Workload& work, const Step& step);

/// The passes that run: of given clips only those that later clips attend to.
std::vector<Step> steps_to_run(const Workload& work);

/// What the decoder makes of the first `latent_frames`, and what the encoder reads.
VideoShape decode_size(const Workload& work, int64_t latent_frames);
VideoShape encode_size(const Workload& work);

/// Floating-point operations of one pass over the visual tokens, all guidance rows.
double step_flops(const Workload& work, const Step& step);

/// Estimated seconds, for the shares of a progress display. Rates are those of the device kinds we measured.
double step_seconds(const Workload& work, const Step& step);
double decode_seconds(const Workload& work, int64_t latent_frames);
/// Encoding the source; 0 without one.
double encode_seconds(const Workload& work);
double text_seconds(const Workload& work);

}  // namespace faststar
