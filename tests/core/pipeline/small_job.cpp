#include "core/pipeline/small_job.h"

namespace faststar::test {

GenerateJob small_job(const TempDir& folder, at::Device device, FieldTexts flags, Task task) {
  flags.try_emplace("random_weights", "true");
  flags.try_emplace("prompt", "a red ball");
  flags.try_emplace("seed", "7");
  flags.try_emplace("device", device.str());
  flags.try_emplace("output", (folder / (task == Task::text_to_image ? "p.png" : "v.mp4")).string());
  if (task == Task::text_to_video || task == Task::image_to_video) flags.try_emplace("duration", "1");
  const CollectWarnings untrained_length;
  ResolvedSettings resolved = resolve_settings({.flags = std::move(flags), .config = "tiny"});
  GenerateJob job = plan_job(task, resolved);
  ModelSizes& sizes = *job.setup.model.preset.architecture;
  sizes.transformer.layers = 1;
  sizes.transformer.width = 64;
  sizes.transformer.ffn_width = 64;
  sizes.vae.channels = {8, 16, 16, 16, 16};
  return job;
}

void run(const GenerateJob& job, Progress& progress, const std::function<void(const std::filesystem::path&)>& on_file) {
  Engine engine(job.setup);
  run_generation(engine, job, progress, on_file);
}

void make(const GenerateJob& job) {
  SilentProgress progress;
  run(job, progress);
}

}  // namespace faststar::test
