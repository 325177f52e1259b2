
#include "core/config/yaml.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;

const OtherKeys kNoOtherKeys = [](const std::string&, const YamlEntry&) { return false; };

Settings read(const std::string& text) {
  const test::TempDir folder;
  const auto file = folder / "my.yaml";
  test::write_text(file, text);
  Settings settings;
  apply_yaml(YamlDocument(file), Source::file, kNoOtherKeys, settings);
  return settings;
}

/// The message behind "<folder>/my.yaml".
std::string message_of(const std::string& text) {
  const Error error = error_of([&] { read(text); });
  CHECK(error.kind() == ErrorKind::usage);
  const std::string what = error.what();
  const size_t name = what.find("my.yaml");
  REQUIRE(name != std::string::npos);
  return what.substr(name);
}

}  // namespace

TEST_CASE("sections set their fields and remember the line", "[config]") {
  const Settings settings = read("output:\n  crf: 20\nschedule:\n  image_repetitions: [1, 2]\n");
  CHECK(settings.config.output.encoding.crf == 20);
  CHECK(settings.config.schedule.repetitions.image == std::vector<int>{1, 2});
  CHECK(settings.origin("crf").text.ends_with("my.yaml:2: output.crf"));
  CHECK(settings.origin("preset").source == Source::standard);
}

TEST_CASE("a Git LFS pointer in a configuration's place is the model's fault", "[config]") {
  const Error error = error_of([] { read("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(test::says(error, "my.yaml: a Git LFS pointer"));
  CHECK(error.hint() == "git lfs pull");
}

TEST_CASE("an unknown key names file, line, key and the nearest known one", "[config]") {
  const Error key = error_of([] { read("guidance:\n  guidance: 3\n  guidence_method: cfg\n"); });
  CHECK(std::string(key.what()).ends_with("my.yaml:3: guidance.guidence_method: unknown key"));
  CHECK(key.hint() == "the nearest known one is guidance_method");
  CHECK(error_of([] { read("\ngenerat:\n  count: 1\n"); }).hint() == "the nearest known one is generate");
  CHECK(error_of([] { read("guidance:\n  crf: 20\n"); }).hint() == "crf belongs in the section output");
}

TEST_CASE("a duplicate key is an error", "[config]") {
  CHECK(message_of("output:\n  crf: 20\n  crf: 21\n") == "my.yaml:3: crf: duplicate key in output");
  CHECK(message_of("output:\n  crf: 20\noutput:\n  crf: 21\n") == "my.yaml:3: output: duplicate key in the file");
}

TEST_CASE("types are strict", "[config]") {
  CHECK(message_of("output:\n  crf: \"20\"\n") ==
        "my.yaml:2: output.crf: expected a whole number from 0 to 51, got \"20\"");
  CHECK(message_of("output:\n  crf: 20.5\n") ==
        "my.yaml:2: output.crf: expected a whole number from 0 to 51, got 20.5");
  CHECK(message_of("output:\n  lossless: 1\n") == "my.yaml:2: output.lossless: expected true or false, got 1");
  CHECK(message_of("output:\n  lossless: yes\n") == "my.yaml:2: output.lossless: expected true or false, got yes");
  CHECK(message_of("output:\n  crf:\n") == "my.yaml:2: output.crf: expected a whole number from 0 to 51, got nothing");
  CHECK(message_of("output:\n  crf: [1]\n") ==
        "my.yaml:2: output.crf: expected a whole number from 0 to 51, got a list");
  CHECK(message_of("schedule:\n  image_repetitions: 3\n") ==
        "my.yaml:2: schedule.image_repetitions: expected a list of whole numbers from 1 to 100, got 3");
  CHECK(message_of("schedule:\n  image_repetitions: [3, x]\n") ==
        "my.yaml:2: schedule.image_repetitions: expected a whole number from 1 to 100, got x");
  CHECK(message_of("output: 3\n") == "my.yaml:1: output: expected `key: value` lines, got a value");
  CHECK(message_of("- a\n") == "my.yaml: expected sections (`generate:` and so on), got something else");
}

TEST_CASE("null gives an optional setting back", "[config]") {
  const Settings settings = read("output:\n  frames_dir: null\nruntime:\n  device: ~\n");
  CHECK_FALSE(settings.config.output.frames_dir);
  CHECK_FALSE(settings.config.runtime.device);
}

TEST_CASE("broken files are one usage error", "[config]") {
  CHECK(message_of("output: [1, 2\n").starts_with("my.yaml:"));
  CHECK(message_of("output:\n  crf: 20\n crf: 3\n").starts_with("my.yaml:"));
  CHECK(message_of(std::string(1, '\x01')).starts_with("my.yaml"));
  CHECK(message_of(std::string(100000, '[')).starts_with("my.yaml"));
  CHECK(message_of(std::string((1 << 20) + 1, ' ')) == "my.yaml: expected a configuration file, got more than 1 MiB");
  for (const char* between : {"---\n", "...\n", "--- # more\n"}) {
    CHECK(message_of(fmt::format("# mine\n---\nsampling:\n  seed: 3\n{}sampling:\n  seed: 4\n", between)) ==
          "my.yaml: expected one YAML document, got more");
  }
  CHECK(error_of([] { YamlDocument("/nonexistent/my.yaml"); }).kind() == ErrorKind::usage);
  const test::TempDir folder;
  CHECK(error_of([&] { YamlDocument(folder.path()); }).kind() == ErrorKind::usage);
}

TEST_CASE("written settings read back the same", "[config]") {
  Config config;
  config.model.model = "/models/with \"quotes\" and \xe9 bytes";  // not UTF-8: file names are bytes
  config.generate.duration = {10};
  config.generate.aspect = {9, 16};
  config.prompt.prompt =
      "fa\xc3\xa7"
      "ade: \\ # {x}\n\ttwo lines, 'quoted'";
  config.prompt.prompt_suffix = ", with a suffix ";
  config.guidance.scale = 0.1;
  config.sampling.seed = 4294967295;
  config.sampling.tau_video = 1e-5;
  config.schedule.repetitions.video = {3, 2, 1};
  config.output.encoding.lossless = true;
  config.runtime.precision = Precision::bf16;
  const std::string text = config_yaml(config, "");
  const Config again = read(text).config;
  CHECK(config_yaml(again, "") == text);
  CHECK(again.model.model == config.model.model);
  CHECK(again.prompt.prompt == config.prompt.prompt);
  CHECK(again.sampling.tau_video == config.sampling.tau_video);
  CHECK_FALSE(again.prompt.negative);
}

TEST_CASE("metadata holds every setting that has a value", "[config]") {
  Config config;
  config.sampling.seed = 41;
  config.generate.duration = {5};
  const auto json = config_json(config);
  CHECK(json["sampling"]["seed"] == 41);
  CHECK(json["generate"]["duration"] == 5);
  CHECK(json["generate"]["aspect"] == "16:9");
  CHECK(json["output"]["crf"] == 17);
  CHECK(json["runtime"]["attention"] == "auto");
  CHECK(json["runtime"]["attention_precision"] == "auto");
  CHECK_FALSE(json["output"].contains("frames_dir"));
}

}  // namespace faststar
