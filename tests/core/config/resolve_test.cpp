#include "core/config/resolve.h"

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
  CHECK(config.sampling.tau_video == 5);    // flag
  CHECK(config.sampling.tau_image == 4);    // environment
  CHECK(config.guidance.scale == 3);        // file
  CHECK(config.prompt.text_limit == 64);    // preset
  CHECK(config.output.encoding.crf == 17);  // default
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

TEST_CASE("a preset's name leads to its file", "[config]") {
  const ConfigChain chain = follow_config("720p");
  CHECK(chain.preset == preset_file("720p"));
  CHECK(chain.files.empty());
}

TEST_CASE("files build on files down to a preset, and the nearest one wins", "[config]") {
  const TempDir folder;
  test::write_text(folder / "studio.yaml", "base: 480p\noutput:\n  crf: 10\n  preset: slow\n");
  test::write_text(folder / "mine.yaml", "base: studio.yaml\noutput:\n  crf: 12\n");
  const ConfigChain chain = follow_config((folder / "mine.yaml").string());
  CHECK(chain.preset == preset_file("480p"));
  Settings settings;
  apply_config_files(chain, settings);
  CHECK(settings.config.output.encoding.crf == 12);
  CHECK(settings.config.output.encoding.preset == H264Preset::slow);
}

TEST_CASE("files that build on each other are refused", "[config]") {
  const TempDir folder;
  test::write_text(folder / "a.yaml", "base: b.yaml\n");
  test::write_text(folder / "b.yaml", "base: a.yaml\n");
  const Error error = error_of([&] { follow_config((folder / "a.yaml").string()); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("build on each other") != std::string::npos);
}

TEST_CASE("an unknown name is answered with the nearest preset, or with where they are listed", "[config]") {
  const Error error = error_of([] { follow_config("1080p"); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(error.hint() == "configs/README.md lists the presets");
  CHECK(error_of([] { follow_config("faststar-70p"); }).hint() == "did you mean faststar-720p?");
  const TempDir folder;
  test::write_text(folder / "mine.yaml", "base: [720p]\n");
  CHECK(error_of([&] { follow_config((folder / "mine.yaml").string()); }).kind() == ErrorKind::usage);
}

}  // namespace faststar
