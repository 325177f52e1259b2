#include "core/base/utf8.h"

#include "support/support.h"

namespace faststar {

TEST_CASE("characters survive decoding and encoding", "[utf8]") {
  const std::string text = "a\xc3\xa7\xe2\x82\xac\xf0\x9f\x8e\x88";  // 1, 2, 3 and 4 bytes
  CHECK_FALSE(find_invalid_utf8(text));
  CHECK(decode_utf8(text) == U"a\u00e7\u20ac\U0001f388");
  CHECK(encode_utf8(decode_utf8(text)) == text);
}

TEST_CASE("the first byte that is not UTF-8 is found", "[utf8]") {
  CHECK(find_invalid_utf8("ab\xff") == 2);
  CHECK(find_invalid_utf8("\xc3") == 0);              // cut off
  CHECK(find_invalid_utf8("a\xe2\x82") == 1);         // cut off
  CHECK(find_invalid_utf8("\xc0\xaf") == 0);          // overlong
  CHECK(find_invalid_utf8("\xe0\x80\xaf") == 0);      // overlong
  CHECK(find_invalid_utf8("\xed\xa0\x80") == 0);      // a surrogate
  CHECK(find_invalid_utf8("\xf4\x90\x80\x80") == 0);  // beyond U+10FFFF
  CHECK(find_invalid_utf8("\x80") == 0);
  CHECK_FALSE(find_invalid_utf8(""));
}

TEST_CASE("the text of a file is UTF-8, or UTF-16 with a mark", "[utf8]") {
  using namespace std::string_literals;
  CHECK(text_of_file("\xef\xbb\xbf\xc3\xa9\n") == "\xc3\xa9\n");
  CHECK(text_of_file("\xff\xfe\xe9\x00\n\x00"s) == "\xc3\xa9\n");
  CHECK(text_of_file("\xfe\xff\x00\xe9\xd8\x3d\xde\x00"s) == "\xc3\xa9\xf0\x9f\x98\x80");
  CHECK(text_of_file("a\xe9") == "a\xe9");                 // Latin-1: not decided here
  CHECK_FALSE(text_of_file("\xff\xfe\x61"s));              // half a unit
  CHECK_FALSE(text_of_file("\xff\xfe\x3d\xd8"s));          // half a pair
  CHECK_FALSE(text_of_file("\xff\xfe\x00\xdc\x61\x00"s));  // the second half alone
}

TEST_CASE("lines end with LF, CRLF or CR", "[utf8]") {
  CHECK(lines_of("").empty());
  CHECK(lines_of("a\r\n\r\nb\rc\nd") == std::vector<std::string_view>{"a", "", "b", "c", "d"});
  CHECK(lines_of("\n") == std::vector<std::string_view>{""});
}

TEST_CASE("byte order marks that begin lines are dropped, others stay", "[utf8]") {
  const std::string mark = "\xef\xbb\xbf";
  CHECK(text_of_file(mark + mark + "a" + mark + "\n" + mark + "b\r" + mark) == "a" + mark + "\nb\r");
}

TEST_CASE("a long text is shortened for messages between two characters", "[utf8]") {
  CHECK(shortened("a red ball") == "a red ball");
  CHECK(shortened("") == "nothing");
  CHECK(shortened("ab\xc3\xa9\xc3\xa9", 4) == "ab\xc3\xa9...");
  CHECK(shortened("ab\xc3\xa9\xc3\xa9", 3) == "ab...");
  CHECK(shortened("\x80\x80", 1) == "...");  // what is not UTF-8 has no characters
}

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

TEST_CASE("printable text steers no terminal", "[text]") {
  CHECK(printable("a red ball, fa\xc3\xa7"
                  "ade \xf0\x9f\x8e\x88 \\") ==
        "a red ball, fa\xc3\xa7"
        "ade \xf0\x9f\x8e\x88 \\");
  CHECK(printable("\x1b]0;x\x07\r\n\tmodel: fake\x7f") == "\\u001b]0;x\\u0007\\u000d\\u000a\\u0009model: fake\\u007f");
  CHECK(printable("\xc2\x9b"
                  "2J\xe2\x80\xae\xe2\x80\xa8") == "\\u009b2J\\u202e\\u2028");
  CHECK(printable(std::string_view("\0\xff\x9b\xe2\x80", 5)) == "\\u0000\\xff\\x9b\\xe2\\x80");
  CHECK(printable_lines("a\n\tb\x1b") == "a\n\tb\\u001b");
  const nlohmann::json json = {{"k\x1b", "\x7f \xc2\x9b"}};
  CHECK(nlohmann::json::parse(printable_lines(json_text(json, 2))) == json);
}

TEST_CASE("a quoted word reaches a program as it was", "[text]") {
  CHECK(shell_quoted("a b") == "'a b'");
  CHECK(shell_quoted("it's") == "'it'\\''s'");
  CHECK(shell_quoted("a\nb\x1b'\\1") == "$'a\\012b\\033\\047\\1341'");
  for (const std::string word :
       {"; touch X #", "$(touch X)", "`touch X`", "a'b\"c", "\x1b[2J\n'\\n", "\xff\xc2\x9b", ""}) {
    FILE* const shell = popen(("bash -c " + shell_quoted("printf %s " + shell_quoted(word))).c_str(), "r");
    REQUIRE(shell != nullptr);
    std::string out(100, '\0');
    out.resize(fread(out.data(), 1, out.size(), shell));
    pclose(shell);
    CHECK(out == word);
  }
}

}  // namespace faststar
