#include "core/pipeline/job.h"

#include "core/model/vae/architecture.h"

namespace faststar {

int64_t frames_shown(const GenerateJob& job) {
  const bool without_source = job.source && job.source->only_new;
  return job.size.frames - (without_source ? frames_of_latents(job.source->latents) : 0);
}

}  // namespace faststar
