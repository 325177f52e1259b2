#include "core/base/temporary_path.h"

#include "core/base/atomic_file.h"
#include "support/support.h"

namespace faststar {
namespace fs = std::filesystem;

TEST_CASE("a stopped run removes its unfinished files and no others", "[atomic_file]") {
  const test::TempDir folder;
  test::write_text(folder / "kept.mp4", "whole");
  AtomicFile unfinished(folder / "video.mp4", Existing::refuse);
  test::write_text(unfinished.temporary(), "half");
  const TemporaryPath frames(folder / "frames.partial");
  fs::create_directory(frames.path());
  test::write_text(frames.path() / "000000.png", "");
  remove_temporary_paths();
  CHECK_FALSE(fs::exists(unfinished.temporary()));
  CHECK_FALSE(fs::exists(frames.path()));
  CHECK(fs::exists(folder / "kept.mp4"));
}

}  // namespace faststar
