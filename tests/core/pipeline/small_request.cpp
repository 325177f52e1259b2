#include "core/pipeline/small_request.h"

#include "support/stop_after.h"

namespace faststar::test {

Request small_request(const TempDir& folder, at::Device device, FieldTexts flags, Task task) {
  flags.try_emplace("random_weights", "true");
  flags.try_emplace("prompt", "a red ball");
  flags.try_emplace("seed", "7");
  flags.try_emplace("device", device.str());
  flags.try_emplace("output", (folder / (task == Task::text_to_image ? "p.png" : "v.mp4")).string());
  if (task == Task::text_to_video || task == Task::image_to_video) flags.try_emplace("duration", "1");
  const CollectWarnings untrained_length;
  ResolvedSettings resolved = resolve_settings({.flags = std::move(flags), .config = "tiny"});
  Request request =
      task == Task::interactive ? make_interactive_request(resolved, "a red ball") : make_request(task, resolved);
  ModelSizes& sizes = *request.setup.model.preset.architecture;
  sizes.transformer.layers = 1;
  sizes.transformer.hidden_size = 64;
  sizes.transformer.ffn_width = 64;
  sizes.vae.block_out_channels = {8, 16, 16, 16, 16};
  return request;
}

FieldTexts exact_output(const std::filesystem::path& file) {
  return {{"output", file.string()}, {"lossless", "true"}, {"no_metadata", "true"}};
}

void run(const Request& request, Progress& progress, const std::function<void(const std::filesystem::path&)>& on_file) {
  Model model(request.setup);
  const Pipeline pipeline(model);
  run_plan(pipeline, make_plan(pipeline, request), progress, on_file);
}

void make(const Request& request) {
  SilentProgress progress;
  run(request, progress);
}

}  // namespace faststar::test
