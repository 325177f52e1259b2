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

}  // namespace faststar
