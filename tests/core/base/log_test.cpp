#include "core/base/log.h"

#include "core/base/utf8.h"
#include "support/support.h"

namespace faststar {

TEST_CASE("a line of the log is one printable line, whatever a file says", "[log]") {
  const test::CollectWarnings warnings;
  log::warn("key {}", "x\nmodel: fake\x1b[2J\xff");
  CHECK(warnings.lines() == std::vector<std::string>{"key x\\u000amodel: fake\\u001b[2J\\xff"});
}

TEST_CASE("a line of the log is never longer than a screen", "[log]") {
  const std::string balloon = "\xf0\x9f\x8e\x88";
  std::string text = "xy";
  for (int i = 0; i < 1'000'000; ++i) text += balloon;
  for (const std::string& message : {text, std::string(3'000'000, 'x'), std::string(3'000'000, '\x1b')}) {
    const std::string line = log::shown(message);
    CHECK(line.size() <= log::kMaxMessageBytes + 3);
    CHECK(line.ends_with("..."));
    CHECK_FALSE(find_invalid_utf8(line));
  }
  CHECK(log::shown(std::string(log::kMaxMessageBytes, 'x')) == std::string(log::kMaxMessageBytes, 'x'));
}

}  // namespace faststar
