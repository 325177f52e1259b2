#include "core/config/config_file.h"

#include "core/config/installation.h"
#include "support/support.h"

namespace faststar {
using test::error_of;
using test::TempDir;
using test::write_text;

TEST_CASE("a preset's name leads to its file", "[config]") {
  const ConfigChain chain = follow_config("720p");
  CHECK(chain.preset == preset_file("720p"));
  CHECK(chain.files.empty());
}

TEST_CASE("files build on files down to a preset, and the nearest one wins", "[config]") {
  const TempDir folder;
  write_text(folder / "studio.yaml", "base: 480p\noutput:\n  crf: 10\n  preset: slow\n");
  write_text(folder / "mine.yaml", "base: studio.yaml\noutput:\n  crf: 12\n");
  const ConfigChain chain = follow_config((folder / "mine.yaml").string());
  CHECK(chain.preset == preset_file("480p"));
  Settings settings;
  apply_config_files(chain, settings);
  CHECK(settings.config.output.crf == 12);
  CHECK(settings.config.output.preset == H264Preset::slow);
}

TEST_CASE("files that build on each other are refused", "[config]") {
  const TempDir folder;
  write_text(folder / "a.yaml", "base: b.yaml\n");
  write_text(folder / "b.yaml", "base: a.yaml\n");
  const Error error = error_of([&] { follow_config((folder / "a.yaml").string()); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("build on each other") != std::string::npos);
}

TEST_CASE("an unknown name lists the presets", "[config]") {
  const Error error = error_of([] { follow_config("1080p"); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(error.hint() == "presets: 480p, 480p-interact, 720p, tiny");
  const TempDir folder;
  write_text(folder / "mine.yaml", "base: [720p]\n");
  CHECK(error_of([&] { follow_config((folder / "mine.yaml").string()); }).kind() == ErrorKind::usage);
}

}  // namespace faststar
