#include "core/config/value.h"

#include <clocale>

#include "core/config/config.h"
#include "core/config/config_fields.h"
#include "support/support.h"

namespace faststar {
namespace {

const Field kCrf = {.name = "crf", .range = {0, 51}};

template <typename T>
std::optional<T> parsed(std::string_view text, const Field& field = {}) {
  T value{};
  if (!parse_value(text, field, value)) return std::nullopt;
  return value;
}

}  // namespace

TEST_CASE("numbers are read whole and within their range", "[config]") {
  CHECK(parsed<int>("17", kCrf) == 17);
  CHECK(parsed<double>("1e-1") == 0.1);
  for (const char* bad : {"", " 17", "17 ", "17x", "0x11", "1,5", "52", "-1", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parsed<int>(bad, kCrf));
  }
  for (const char* bad : {"nan", "inf", "1e999", "0,4"}) {
    CAPTURE(bad);
    CHECK_FALSE(parsed<double>(bad));
  }
}

TEST_CASE("a locale with decimal commas changes no number", "[config]") {
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) std::setlocale(LC_ALL, name);  // where installed
  CHECK(parsed<double>("0.5") == 0.5);
  CHECK(value_text(0.5) == "0.5");
  std::setlocale(LC_ALL, "C");
}

TEST_CASE("durations, aspects and choices are read as users write them", "[config]") {
  const Field duration = {.name = "duration", .range = {1, 86400}};
  CHECK(parsed<Seconds>("5", duration)->count == 5);
  CHECK(parsed<Seconds>("5s", duration)->count == 5);
  for (const char* bad : {"s", "2.5", "3h", "0", "-5", "5ss"}) {
    CAPTURE(bad);
    CHECK_FALSE(parsed<Seconds>(bad, duration));
  }
  CHECK(parsed<Aspect>("9:16") == Aspect{9, 16});
  for (const char* bad : {"16", "16:", ":9", "0:9", "16:9:1", "16x9"}) {
    CAPTURE(bad);
    CHECK_FALSE(parsed<Aspect>(bad));
  }
  CHECK(parsed<Precision>("bf16") == Precision::bf16);
  CHECK(parsed<Precision>("fp8") == Precision::fp8);
  CHECK_FALSE(parsed<Precision>("int8"));
  CHECK(expected_text(Field{}, Precision::fp32) == "one of fp32, bf16, fp8");
}

TEST_CASE("lists have commas between their values", "[config]") {
  std::vector<double> ratios;
  CHECK(parse_value("0.2,0.3", Field{}, ratios));
  CHECK(ratios == std::vector<double>{0.2, 0.3});
  for (const char* text : {"0.2,", ",0.2", "0.2 0.3", "0.2;0.3", "x"}) CHECK_FALSE(parse_value(text, Field{}, ratios));
  CHECK(ratios == std::vector<double>{0.2, 0.3});
  ScaleChoice scales;
  CHECK(parse_value("last2", Field{}, scales));
  CHECK(scales == ScaleChoice{.last = 2});
  CHECK(parse_value("26,27", Field{}, scales));
  CHECK(value_text(scales) == "26,27");
  for (const char* text : {"", "last", "last0", "-1", "26,", "all"}) {
    CHECK_FALSE(parse_value(text, Field{}, scales));
  }
  std::optional<ScaleChoice> limit = scales;
  CHECK_FALSE(parse_value("every", Field{}, limit));
  CHECK(limit == scales);
  CHECK(parse_value("all", Field{}, limit));
  CHECK(limit == std::nullopt);
}

TEST_CASE("every default is written as text that reads back to it", "[config]") {
  const Config defaults;
  visit_config(defaults, [](std::string_view, const Field& field, const auto& value) {
    using T = std::remove_cvref_t<decltype(value)>;
    CAPTURE(field.name);
    if constexpr (requires { value_text(value); }) {
      T read = value;
      if (!field.from_model) CHECK(parse_value(value_text(value), field, read));
      CHECK(value_text(read) == value_text(value));
    }
  });
}

TEST_CASE("the nearest name is the one with the fewest edits", "[config]") {
  CHECK(nearest_name("guidence", {"seed", "guidance", "guidance_method"}) == "guidance");
  CHECK(nearest_name("--promt", {"--preset", "--prompt", "--prompt-file"}) == "--prompt");
  CHECK(nearest_name("anything", {}).empty());
  CHECK(nearest_name("vea", {"vae", "star"}) == "vae");
  CHECK(nearest_name("a red ball", {"--reduce", "--reduce-tie-break"}).empty());
  CHECK(nearest_name("1080p", {"480p", "720p", "tiny"}).empty());
}

}  // namespace faststar
