#include "core/media/metadata.h"

#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

const std::string kSettings = R"({"prompt":"a \"fox\"\nfaçades 狐","ratios":[0.2,0.4],"seed":41})";

TEST_CASE("settings survive in the comment of a video", "[media]") {
  const TempDir folder;
  const auto [lossless, name] = GENERATE(std::tuple(false, "v.mp4"), std::tuple(true, "v.mkv"));
  test::write_video(folder / name, test::numbered_frames(2), {.lossless = lossless},
                    to_comment({"1.2", "t2v", kSettings}));
  const auto read = parse_comment(read_comment(folder / name));
  REQUIRE(read);
  CHECK(read->version == "1.2");
  CHECK(read->command == "t2v");
  CHECK(read->settings_json == kSettings);
}

TEST_CASE("a long comment of any bytes survives in a video", "[media]") {
  const TempDir folder;
  const std::string comment = "line\nquote \" façades 狐 " + std::string(100000, 'z');
  const std::string name = GENERATE("v.mp4", "v.mkv");
  test::write_video(folder / name, test::numbered_frames(2), {}, comment);
  CHECK(read_comment(folder / name) == comment);
}

TEST_CASE("a video without comment has an empty one", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(2));
  CHECK(read_comment(folder / "v.mp4").empty());
}

TEST_CASE("comments of others are not ours", "[media]") {
  const std::string comment =
      GENERATE("", "made with love", "[1]", "{}", R"({"faststar":1,"command":"t2v","settings":{}})",
               R"({"faststar":"1","command":"t2v","settings":[]})", R"({"faststar":"1","settings":{}})");
  CHECK_FALSE(parse_comment(comment));
}

TEST_CASE("the comment is one line of ASCII", "[media]") {
  for (const char c : to_comment({"1.2", "t2v", kSettings})) CHECK((c >= ' ' && c <= '~'));
}

TEST_CASE("a file that is absent or no picture or video has no comment to read", "[media]") {
  const TempDir folder;
  test::write_text(folder / "text", "hello");
  CHECK(test::error_of([&] { read_comment(folder / "absent.mp4"); }).kind() == ErrorKind::input);
  CHECK(test::error_of([&] { read_comment(folder / "text"); }).kind() == ErrorKind::input);
}

}  // namespace
}  // namespace faststar
