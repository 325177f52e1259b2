#include "core/pipeline/prompt.h"

#include "support/support.h"

namespace faststar {
using test::error_of;

TEST_CASE("a video's prompt gets tag and suffix without separators", "[text]") {
  const PromptConfig config = {.prompt_suffix = ", Close-up", .duration_tag = true};
  CHECK(video_prompt("a cat", config, {5}) == "<<<t=5s>>>a cat, Close-up");
  CHECK(video_prompt("a cat", {}, {5}) == "a cat");
}

TEST_CASE("outer white space goes, also that of other scripts", "[text]") {
  CHECK(checked_prompt(" \n a  cat\t", "--prompt", ErrorKind::usage) == "a  cat");
  CHECK(checked_prompt("\xef\xbb\xbf"
                       "fa\xc3\xa7"
                       "ade\xe3\x80\x80",
                       "p.txt", ErrorKind::input) ==
        "fa\xc3\xa7"
        "ade");
}

TEST_CASE("empty prompts, other encodings and NUL bytes are errors", "[text]") {
  for (const char* empty : {"", " \n\t", "\xe3\x80\x80", "\xe2\x80\x8b"}) {
    const Error error = error_of([&] { checked_prompt(empty, "p.txt", ErrorKind::input); });
    CHECK(error.kind() == ErrorKind::input);
    CHECK(error_of([&] { checked_prompt(empty, "--prompt", ErrorKind::usage); }).kind() == ErrorKind::usage);
    CHECK(std::string(error.what()) == "p.txt: the prompt is empty");
  }
  const Error latin1 = error_of([] {
    checked_prompt(
        "fa\xe7"
        "ade",
        "--prompt", ErrorKind::usage);
  });
  CHECK(std::string(latin1.what()) == "--prompt: expected UTF-8 text, got something else at byte 2");
  CHECK(error_of([] { checked_prompt(std::string("a\0b", 3), "p.txt", ErrorKind::input); }).kind() == ErrorKind::input);
}

}  // namespace faststar
