#include "core/base/slug.h"

#include "core/base/utf8.h"
#include "support/support.h"

namespace faststar {

TEST_CASE("a slug is lower case, dashed and at most 40 characters", "[cli]") {
  CHECK(slug("A Red ball, moving left!") == "a-red-ball-moving-left");
  CHECK(slug("--- ???") == "video");
  CHECK(slug("../../etc/passwd") == "etc-passwd");
  CHECK(slug("\xe2\x80\x9cquoted\xe2\x80\x9d \xe2\x80\x94 text") == "quoted-text");
  CHECK(slug(std::string(500, 'x')) == std::string(40, 'x'));
  CHECK(slug("a person is washing the dishes very carefully today") == "a-person-is-washing-the-dishes-very");
  std::string balloons;
  for (int i = 0; i < 50; ++i) balloons += "\xf0\x9f\x8e\x88";
  CHECK(slug(balloons) == balloons.substr(0, 160));  // 40 characters, none cut in half
}

TEST_CASE("VBench prompts survive as slugs", "[cli]") {
  const std::vector<std::pair<std::string, std::string>> prompts = {
      {"A tranquil tableau of at the edge of the Arabian Desert, the ancient city of Petra beckoned with its enigmatic "
       "rock-carved fa\xc3\xa7"
       "ades",
       "a-tranquil-tableau-of-at-the-edge-of-the"},
      {"rock-carved fa\xc3\xa7"
       "ades",
       "rock-carved-fa\xc3\xa7"
       "ades"},
      {"Two pandas discussing an academic paper.", "two-pandas-discussing-an-academic-paper"},
      {"A cute happy Corgi playing in park, sunset, in cyberpunk style", "a-cute-happy-corgi-playing-in-park"},
      {"a teddy bear is playing drum kit in NYC Times Square", "a-teddy-bear-is-playing-drum-kit-in-nyc"},
  };
  for (const auto& [prompt, expected] : prompts) {
    CHECK(slug(prompt) == expected);
    CHECK(decode_utf8(slug(prompt)).size() <= 40);
  }
}

}  // namespace faststar
