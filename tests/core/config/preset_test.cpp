#include "core/config/preset.h"

#include <fmt/format.h>

#include "core/model/pyramid/schedule.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;

Settings with_duration(const ModelPreset& preset, int seconds) {
  Settings settings = preset.settings;
  apply_flags(settings, {{"duration", fmt::format("{}", seconds)}});
  return settings;
}

/// A copy of the embedded model's file with `from` replaced by `to`.
Error error_of_changed_preset(const std::string& from, const std::string& to) {
  const test::TempDir folder;
  std::string text = test::read_text(preset_file("tiny"));
  REQUIRE(text.find(from) != std::string::npos);
  test::write_text(folder / "model.yaml", text.replace(text.find(from), from.size(), to));
  return error_of([&] { read_preset(folder / "model.yaml"); });
}

}  // namespace

TEST_CASE("every preset of the installation loads and its lists fit its scales", "[config]") {
  CHECK(preset_names() == std::vector<std::string>{"480p", "480p-interact", "720p", "tiny"});
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const ModelPreset preset = read_preset(preset_file(name));
    const Config& config = preset.settings.config;
    const int latents = latent_frames_of(config.generate.duration);
    const Schedule schedule = make_schedule(0.562, pn_of(config.generate.resolution), latents, preset.latents_per_clip);
    CHECK_NOTHROW(schedule.steps(config.schedule.repetitions));
    CHECK(preset.architecture);
    check_video_size(preset, preset.settings);  // a default that was trained: no warning
  }
}

TEST_CASE("the 720p and 480p presets hold the official settings", "[config]") {
  const ModelPreset large = read_preset(preset_file("720p"));
  const Config& config = large.settings.config;
  CHECK(config.guidance.scale == 34);
  CHECK(config.guidance.method == GuidanceMethod::apg);
  CHECK(config.sampling.tau_image == 1);
  CHECK(config.sampling.tau_video == 0.4);
  CHECK(config.prompt.prompt_suffix == ", Close-up on big objects, emphasize scale and detail");
  CHECK(config.prompt.duration_tag);
  CHECK(config.schedule.semantic_scales == 12);
  CHECK(config.schedule.detail_scale_min_tokens == 750);
  CHECK(config.schedule.repetitions.video == std::vector<int>{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1});
  CHECK(large.latents_per_clip == 20);
  CHECK(large.norm_weights == NormWeights::backbone);
  CHECK(read_preset(preset_file("480p-interact")).norm_weights == NormWeights::fp32);
  CHECK(large.architecture->transformer.ffn_width == 16384);

  const Config& small = read_preset(preset_file("480p")).settings.config;
  CHECK(small.generate.resolution == Resolution::p480);
  CHECK(small.schedule.repetitions.image == std::vector<int>(14, 3));
  CHECK(small.schedule.semantic_scales == 11);
  CHECK(small.schedule.detail_scale_min_tokens == 350);
}

TEST_CASE("a length that was not trained runs with a warning, one that is not listed does not", "[config]") {
  const ModelPreset preset = read_preset(preset_file("720p"));
  {
    const test::CollectWarnings warnings;
    check_video_size(preset, with_duration(preset, 7));
    CHECK(warnings.has("--duration 7: InfinityStar 8B 720p was trained for 5 s at 720p"));
  }
  const Error error = error_of([&] { check_video_size(preset, with_duration(preset, 3 * 3600)); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what())
            .find("--duration 10800: at 720p, InfinityStar 8B 720p supports 5 s (trained) and 1, 2") == 0);
  CHECK(error.hint() == "--duration 5");
  const ModelPreset tiny = read_preset(preset_file("tiny"));
  CHECK(error_of([&] { check_video_size(tiny, with_duration(tiny, 5)); }).hint() == "--duration 4");
}

TEST_CASE("a resolution that the preset does not list is refused by name", "[config]") {
  const ModelPreset preset = read_preset(preset_file("720p"));
  Settings settings = preset.settings;
  apply_flags(settings, {{"resolution", "480p"}});
  const Error error = error_of([&] { check_image_size(preset, settings); });
  CHECK(std::string(error.what()) == "--resolution 480p: InfinityStar 8B 720p supports 720p");
}

TEST_CASE("a preset sets what it changes of the one that it builds on", "[config]") {
  const test::TempDir folder;
  test::write_text(folder / "model.yaml", "base: 480p\nmodel:\n  name: mine\nsampling:\n  tau_video: 0.7\n");
  const ModelPreset preset = read_preset(folder / "model.yaml");
  CHECK(preset.name == "mine");
  CHECK(preset.settings.config.sampling.tau_video == 0.7);
  CHECK(preset.settings.config.generate.resolution == Resolution::p480);
  CHECK(preset.architecture->transformer.layers == 36);
}

TEST_CASE("keys of the architecture are read under their earlier names too", "[config]") {
  const test::TempDir folder;
  std::string text = test::read_text(preset_file("tiny"));
  for (const auto& [name, earlier] :
       {std::pair("    hidden_size:", "    width:"), std::pair("    head_dim:", "    head_width:")}) {
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name)) {
      text.replace(at, std::string_view(name).size(), earlier);
    }
  }
  test::write_text(folder / "model.yaml", text);
  const ModelSizes sizes = *read_preset(folder / "model.yaml").architecture;
  const ModelSizes expected = *read_preset(preset_file("tiny")).architecture;
  CHECK(sizes.transformer.hidden_size == expected.transformer.hidden_size);
  CHECK(sizes.transformer.head_dim == expected.transformer.head_dim);
  CHECK(sizes.transformer.text_width == expected.text_encoder.hidden_size);
  CHECK(sizes.text_encoder.head_dim == expected.text_encoder.head_dim);
  const Error both = error_of_changed_preset("    heads:", "    width: 8\n    heads:");
  CHECK(std::string(both.what()).ends_with("architecture.transformer.width: duplicate key"));
  CHECK(both.hint() == "width is an earlier name of hidden_size");
}

TEST_CASE("a preset has to be complete", "[config]") {
  const Error missing = error_of_changed_preset("tau_image: ", "# ");
  CHECK(missing.kind() == ErrorKind::usage);
  CHECK(std::string(missing.what()).ends_with("a model preset has to set sampling.tau_image"));
  CHECK(std::string(error_of_changed_preset("name: faststar tiny", "").what()).find("model.name is missing") !=
        std::string::npos);
  CHECK(std::string(error_of_changed_preset("    kv_heads: 2\n", "").what())
            .ends_with("architecture.transformer: missing kv_heads"));
}

TEST_CASE("a preset is as strict as any configuration", "[config]") {
  CHECK(std::string(error_of_changed_preset("latents_per_clip", "latents_per_clips").what())
            .ends_with("model.latents_per_clips: unknown key"));
  CHECK(std::string(error_of_changed_preset("192p: {", "100p: {").what()).find("expected one of 192p, 384p") !=
        std::string::npos);
  CHECK(std::string(error_of_changed_preset("trained: [1, 2, 4]", "trained: [1, two, 4]").what()).find("got two") !=
        std::string::npos);
  CHECK(error_of_changed_preset("  vae:\n", "  vea:\n").hint() == "the nearest known one is vae");
  CHECK(error_of_changed_preset("resolution: 192p", "resolution: 480p").kind() == ErrorKind::usage);
}

}  // namespace faststar
