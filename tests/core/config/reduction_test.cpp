#include "core/config/reduction.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/config/config_fields.h"
#include "core/config/resolve.h"
#include "core/config/value.h"
#include "core/config/yaml.h"
#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
namespace {

Settings read_reduction(const std::string& text) {
  const test::TempDir folder;
  test::write_text(folder / "my.yaml", text);
  Settings settings;
  apply_yaml(
      YamlDocument(folder / "my.yaml"), Source::file, [](const std::string&, const YamlEntry&) { return false; },
      settings);
  return settings;
}

ReductionConfig with_flags(Settings settings, const FieldTexts& flags) {
  apply_flags(settings, flags);
  settle_reduction(settings);
  return settings.config.reduction;
}

TEST_CASE("flags name a method, ratios and the norm", "[config]") {
  const ReductionConfig config =
      with_flags({}, {{"reduce", "faststar"}, {"ratios", "0.2,0.3,0.5,0.6"}, {"p_norm", "inf"}});
  CHECK(config.method == ReductionMethod::faststar);
  CHECK(config.ratios == std::vector<double>{0.2, 0.3, 0.5, 0.6});
  CHECK(config.faststar.p == NormDegree::infinity);
}

TEST_CASE("unknown methods and norms are usage errors that list the known ones", "[config]") {
  const Error method = test::error_of([] { with_flags({}, {{"reduce", "fastest"}}); });
  CHECK(method.kind() == ErrorKind::usage);
  CHECK(std::string(method.what()).find("--reduce: expected one of none, faststar, fastvar") == 0);
  CHECK(test::error_of([] { with_flags({}, {{"p_norm", "0"}}); }).kind() == ErrorKind::usage);
  CHECK(test::error_of([] { with_flags({}, {{"ratios", "0.2,,0.3"}}); }).kind() == ErrorKind::usage);
}

TEST_CASE("the sections of the methods are read inside the section reduction", "[config]") {
  const Settings settings = read_reduction(
      "reduction:\n  method: tome\n  ratios: 0.3\n  scales: [28, 29]\n"
      "  faststar: { scorer: temporal, p: 1 }\n  tome:\n    dst_stride: [1, 2, 2]\n");
  const ReductionConfig& config = settings.config.reduction;
  CHECK(config.ratios == std::vector<double>{0.3});
  CHECK(config.scales.listed == std::vector<int>{28, 29});
  CHECK(config.faststar.scorer == Scorer::temporal);
  CHECK(config.faststar.p == NormDegree::one);
  CHECK(config.tome.dst_stride == std::vector<int>{1, 2, 2});
  CHECK(settings.origin("faststar_scorer").text.find("my.yaml:5: reduction.faststar.scorer") != std::string::npos);
}

TEST_CASE("an unknown key of a method names the nearest known one", "[config]") {
  const Error error = test::error_of([] { read_reduction("reduction:\n  faststar:\n    scorrer: temporal\n"); });
  CHECK(std::string(error.what()).ends_with("my.yaml:3: reduction.faststar.scorrer: unknown key"));
  CHECK(error.hint() == "the nearest known one is scorer");
  CHECK(test::error_of([] { read_reduction("reduction.faststar:\n  p: 1\n"); }).kind() == ErrorKind::usage);
  CHECK(test::error_of([] { read_reduction("reduction:\n  scales: last\n"); }).kind() == ErrorKind::usage);
}

TEST_CASE("saved settings of every method are read back to the same values", "[config]") {
  Settings settings;
  apply_flags(settings, {{"reduce", "sparsevar"},
                         {"reduce_scales", "26,27"},
                         {"ratios", "0.25"},
                         {"sparsevar_theta", "0.5"},
                         {"fastvar_layers", "1,7"},
                         {"reduce_keep_align", "8"}});
  // Only this section: others have no default without a model.
  const auto section = [](const Config& config) {
    const std::string all = config_yaml(config, "");
    const size_t begin = all.find("reduction:");
    return all.substr(begin, all.find("output:") - begin);
  };
  const std::string yaml = section(settings.config);
  CHECK(section(read_reduction(yaml).config) == yaml);
  CHECK(read_reduction(yaml).config.reduction.scales.listed == std::vector<int>{26, 27});
  const auto json = config_json(settings.config);
  CHECK(json["reduction"]["sparsevar"]["theta"] == 0.5);
  CHECK(json["reduction"]["ratios"] == std::vector<double>{0.25});
  CHECK(json["reduction"]["scales"] == "26,27");
}

TEST_CASE("settings of earlier versions are accepted with the value that the program now always has", "[config]") {
  const auto yaml_of = [](const RetiredSetting& setting, std::string_view value) {
    const size_t dot = setting.section.find('.');
    if (dot == std::string_view::npos) return fmt::format("reduction:\n  {}: {}\n", setting.name, value);
    return fmt::format("reduction:\n  {}:\n    {}: {}\n", setting.section.substr(dot + 1), setting.name, value);
  };
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    CAPTURE(setting.section, setting.name);
    CHECK_NOTHROW(read_reduction(yaml_of(setting, setting.value)));
    CHECK_NOTHROW(with_flags({}, {{std::string(setting.flag), std::string(setting.value)}}));
    const Error error = test::error_of([&] { read_reduction(yaml_of(setting, "other")); });
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(
        std::string(error.what()).find(fmt::format("{}.{}: this setting was removed", setting.section, setting.name)) !=
        std::string::npos);
    const test::WithEnvironment changed(environment_name(setting.flag).c_str(), "other");
    Settings settings;
    CHECK(test::error_of([&] { apply_environment(settings); }).kind() == ErrorKind::usage);
  }
  CHECK_NOTHROW(read_reduction("reduction:\n  faststar: { eps: 1.0e-08 }\n  random: {}\n"));
  const Config defaults;
  visit_config(defaults, [](std::string_view, const Field& field, const auto&) {
    for (const RetiredSetting& setting : retired_reduction_settings()) CHECK(field.setting() != setting.flag);
  });
}

TEST_CASE("a preset sets what nobody set as strongly", "[config]") {
  CHECK(with_flags({}, {{"reduce_preset", "paper"}}).faststar.mask_down == MaskDown::nearest);
  CHECK(with_flags({}, {{"reduce_preset", "fast"}}).keep_align == 128);
  const Settings file = read_reduction("reduction:\n  faststar: { mask_down: nearest }\n");
  CHECK(with_flags(file, {{"reduce_preset", "fast"}}).faststar.mask_down == MaskDown::token_topk);
  CHECK(with_flags({}, {{"reduce_preset", "fast"}, {"faststar_mask_down", "nearest"}}).faststar.mask_down ==
        MaskDown::nearest);
}

TEST_CASE("preset beyond takes its tokens from the last two scales, unless ratios are asked for", "[config]") {
  const auto reduction = with_flags({}, {{"reduce_preset", "beyond"}});
  CHECK(reduction.faststar.scorer == Scorer::temporal);
  CHECK(reduction.ratios == std::vector<double>{0, 0, 0.7, 0.7});
  const std::vector<double> asked = {0.1, 0.2, 0.3, 0.4};
  CHECK(with_flags({}, {{"reduce_preset", "beyond"}, {"ratios", "0.1,0.2,0.3,0.4"}}).ratios == asked);
  const Settings file = read_reduction("reduction:\n  ratios: [0.1, 0.2, 0.3, 0.4]\n");
  CHECK(with_flags(file, {{"reduce_preset", "fast"}}).ratios == asked);
  CHECK(with_flags(file, {{"reduce_preset", "beyond"}}).ratios == reduction.ratios);
  const Settings fewer = read_reduction("reduction:\n  scales: last2\n  ratios: [0.5, 0.6]\n");
  CHECK(with_flags(fewer, {{"reduce_preset", "beyond"}}).ratios == std::vector<double>{0.5, 0.6});
}

TEST_CASE("--no-reduce wins over weaker sources and contradicts its own", "[config]") {
  const Settings file = read_reduction("reduction:\n  method: faststar\n");
  CHECK(with_flags(file, {{"no_reduce", "true"}}).method == ReductionMethod::none);
  CHECK(test::error_of([&] {
          with_flags(file, {{"no_reduce", "true"}, {"reduce", "random"}});
        }).kind() == ErrorKind::usage);
  const test::WithEnvironment off("FASTSTAR_NO_REDUCE", "1");
  Settings settings;
  apply_environment(settings);
  CHECK(with_flags(settings, {{"reduce", "random"}}).method == ReductionMethod::random);
}

TEST_CASE("every configuration of a method that comes with the program works", "[config]") {
  for (const char* method : {"faststar", "fastvar", "sparsevar", "tome", "stepvar", "random", "skip"}) {
    const ResolvedSettings resolved =
        resolve_settings({.flags = {{"random_weights", "true"}}, .config = fmt::format("{}-720p", method)});
    CHECK(value_text(resolved.settings.config.reduction.method) == method);
    CHECK(resolved.base == "720p");
  }
}

}  // namespace
}  // namespace faststar
