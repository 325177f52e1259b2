#include "core/config/resolve.h"

#include "core/config/yaml.h"
#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
using test::CollectWarnings;
using test::error_of;
using test::TempDir;
using test::WithEnvironment;

TEST_CASE("flag, environment, file, preset, default: in this order", "[config]") {
  const TempDir folder;
  test::write_text(folder / "mine.yaml",
                   "base: tiny\nguidance:\n  guidance: 3\nsampling:\n  tau_image: 3\n  tau_video: 3\n");
  const WithEnvironment tau_image("FASTSTAR_TAU_IMAGE", "4");
  const WithEnvironment tau_video("FASTSTAR_TAU_VIDEO", "4");
  SettingsRequest request;
  request.config = (folder / "mine.yaml").string();
  request.flags = {{"tau_video", "5"}, {"random_weights", "true"}};
  const ResolvedSettings resolved = resolve_settings(request);
  const Config& config = resolved.settings.config;
  CHECK(config.sampling.tau_video == 5);  // flag
  CHECK(config.sampling.tau_image == 4);  // environment
  CHECK(config.guidance.guidance == 3);   // file
  CHECK(config.prompt.text_limit == 64);  // preset
  CHECK(config.output.crf == 17);         // default
  CHECK(resolved.base == "tiny");
}

TEST_CASE("a preset alone is enough with random weights, and an error without", "[config]") {
  SettingsRequest request;
  request.config = "720p";
  CHECK(error_of([&] { resolve_settings(request); }).kind() == ErrorKind::model);
  request.flags = {{"random_weights", "true"}};
  const ResolvedSettings resolved = resolve_settings(request);
  CHECK(resolved.model.random_weights);
  CHECK(resolved.model.preset.architecture->transformer.layers == 36);
  CHECK(resolved.settings.config.generate.resolution == Resolution::p720);
}

TEST_CASE("saved settings resolve to the same settings", "[config]") {
  const TempDir folder;
  SettingsRequest request;
  request.config = "480p";
  request.flags = {{"random_weights", "true"}, {"duration", "10s"}, {"prompt", "a ball"}, {"seed", "7"}};
  const ResolvedSettings first = resolve_settings(request);
  const std::string text = config_yaml(first.settings.config, first.base);
  test::write_text(folder / "saved.yaml", text);
  SettingsRequest again;
  again.config = (folder / "saved.yaml").string();
  const ResolvedSettings second = resolve_settings(again);
  CHECK(config_yaml(second.settings.config, second.base) == text);
}

}  // namespace faststar
