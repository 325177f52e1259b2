#include "core/lab/evaluate/reconstruction.h"

#include <ATen/ATen.h>

#include "core/model/pyramid/conditioning.h"

namespace faststar {
Reconstruction measure_reconstruction(const TestedModel& model, const HeldOutClips& clips, int64_t count,
                                      int video_clips, const EvaluationListener& listener) {
  const Schedule schedule = schedule_of(model, video_clips);
  const int64_t frames = frames_of_latents(schedule.latent_frames());
  ClipFidelitySum plain, quantised;
  for (int64_t i = 0; i < count; ++i) {
    const ClipBatch clip = clips.render(clips.record(i), 0, frames);
    const Tensor features = model.vae.encode(clip.pixels);
    plain.add(clip, decode_frames(model, features));
    const auto bits = condition_bits(features, schedule, model.generation.repetitions, model.detail_scale_min_tokens);
    quantised.add(clip, decode_frames(model, sum_codes(bits, schedule, model.generation.repetitions)));
    if (listener) listener(i + 1, count);
  }
  return {.clips = count,
          .frames = frames,
          .plain = plain.mean(),
          .quantised = quantised.mean(),
          .frame_psnr = quantised.frame_psnr()};
}

}  // namespace faststar
