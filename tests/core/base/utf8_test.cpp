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

}  // namespace faststar
