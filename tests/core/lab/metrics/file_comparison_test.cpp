#include "core/lab/metrics/file_comparison.h"

#include "core/media/image.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("a video gives its frames in order", "[media]") {
  const test::TempDir folder;
  test::write_video(folder / "v.mkv", test::numbered_frames(3), {.lossless = true});
  FrameSource source(folder / "v.mkv");
  CHECK(source.frames() == 3);
  CHECK(source.size().width == 64);
  CHECK(source.fps() == 16);
  for (int64_t i = 0; i < 3; ++i) CHECK(test::number_of(*source.next()) == i);
  CHECK_FALSE(source.next());
}

TEST_CASE("a picture is one frame, whatever its name", "[media]") {
  const test::TempDir folder;
  const Tensor pixels = test::noise_frames(1, 10, 14)[0];
  write_image(folder / "p.png", pixels, "", Existing::refuse);
  std::filesystem::rename(folder / "p.png", folder / "p.mp4");
  FrameSource source(folder / "p.mp4");
  CHECK(source.frames() == 1);
  CHECK(source.size().height == 10);
  CHECK_FALSE(source.fps());
  CHECK(test::same(*source.next(), pixels));
  CHECK_FALSE(source.next());
}

}  // namespace
}  // namespace faststar
