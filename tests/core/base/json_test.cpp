#include "core/base/json.h"

#include "support/support.h"

namespace faststar {

TEST_CASE("JSON is read to the depth of our files and no deeper", "[json]") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(kMaxJsonDepth)).is_array());
  CHECK(parse_json(nested(kMaxJsonDepth + 1)).is_discarded());
  CHECK(parse_json(nested(1'000'000)).is_discarded());
  CHECK(parse_json(R"({"a":"[[[[[[[[[[[[[[[[[[[[[[[[\\"})").is_object());  // brackets in a text
  CHECK(parse_json(R"({"a":"\"[[[[[[[[[[[[[[[[[[[[[[[["})").is_object());  // behind a quotation mark in it
  CHECK(parse_json("[1e400]").is_discarded());
  CHECK(parse_json("").is_discarded());
}

TEST_CASE("a key that an object has twice is found, at any depth", "[json]") {
  CHECK(duplicate_key(R"({"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})") == std::nullopt);
  CHECK(duplicate_key(R"({"a": 1, "b": 2, "a": 1})") == "a");
  CHECK(duplicate_key(R"([{"b": {"c": 1, "c": 2}}])") == "c");
  CHECK(duplicate_key(R"({"a": )") == std::nullopt);
}

TEST_CASE("whole numbers are those that their type holds", "[json]") {
  const auto read = [](const char* text) { return json_integer<int64_t>(parse_json(text)); };
  CHECK(read("-3") == -3);
  CHECK(read("9223372036854775807") == 9223372036854775807);
  for (const char* text : {"1e300", "1.5", "9223372036854775808", "18446744073709551616", "true", "null", "[1]"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), nlohmann::json::exception);
  }
  CHECK_THROWS_AS(json_integer<int>(parse_json("4294967296")), nlohmann::json::exception);
  CHECK(json_integer<int>(parse_json("{}"), "a", 7) == 7);
  CHECK(json_integers<int>(parse_json("[1, 2]")) == std::vector{1, 2});
  CHECK_THROWS_AS(json_integers<int>(parse_json("1")), nlohmann::json::exception);
}

}  // namespace faststar
