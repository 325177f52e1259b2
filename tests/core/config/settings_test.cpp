#include "core/config/settings.h"

#include <set>

#include "core/config/config_fields.h"
#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
using test::error_of;
using test::WithEnvironment;

TEST_CASE("field names are unique over all sections, as flags need", "[config]") {
  std::set<std::string> names;
  const Config config;
  visit_config(config, [&](std::string_view, const Field& field, const auto&) {
    CAPTURE(field.name);
    CHECK(names.insert(std::string(field.setting())).second);
  });
}

TEST_CASE("flags win over the environment", "[config]") {
  const WithEnvironment crf("FASTSTAR_CRF", "20");
  const WithEnvironment file("FASTSTAR_FRAMES_DIR", "frames");
  Settings settings;
  apply_environment(settings);
  CHECK(settings.config.output.encoding.crf == 20);
  CHECK(settings.config.output.frames_dir == "frames");
  CHECK(settings.origin("crf").text == "FASTSTAR_CRF");
  apply_flags(settings, {{"crf", "25"}});
  CHECK(settings.config.output.encoding.crf == 25);
  CHECK(settings.origin("crf").text == "--crf");
}

TEST_CASE("an empty variable counts as unset", "[config]") {
  const WithEnvironment crf("FASTSTAR_CRF", "");
  Settings settings;
  apply_environment(settings);
  CHECK(settings.config.output.encoding.crf == 17);
}

TEST_CASE("a bad value is a usage error that names where, expected and got", "[config]") {
  Settings settings;
  const Error flag = error_of([&] { apply_flags(settings, {{"crf", "99"}}); });
  CHECK(flag.kind() == ErrorKind::usage);
  CHECK(std::string(flag.what()) == "--crf: expected a whole number from 0 to 51, got 99");
  const Error preset = error_of([&] { apply_flags(settings, {{"preset", "quick"}}); });
  CHECK(std::string(preset.what()).starts_with("--preset: expected one of ultrafast, superfast"));
  const WithEnvironment kernels("FASTSTAR_KERNELS", "fast");
  const Error variable = error_of([&] { apply_environment(settings); });
  CHECK(std::string(variable.what()) == "FASTSTAR_KERNELS: expected one of auto, reference, got fast");
}

TEST_CASE("the stronger of prompt and prompt file wins, and equals contradict", "[config]") {
  const WithEnvironment file("FASTSTAR_PROMPT_FILE", "prompt.txt");
  Settings settings;
  apply_environment(settings);
  apply_flags(settings, {{"prompt", "a ball"}});
  settle_prompt_source(settings);
  CHECK(settings.config.prompt.prompt == "a ball");
  CHECK_FALSE(settings.config.prompt.prompt_file);

  Settings both;
  apply_flags(both, {{"prompt", "a ball"}, {"prompt_file", "prompt.txt"}});
  const Error error = error_of([&] { settle_prompt_source(both); });
  CHECK(std::string(error.what()).find("--prompt and --prompt-file") == 0);
}

}  // namespace faststar
