#include "core/media/frame_folder_writer.h"

#include <filesystem>

#include "core/media/image.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

void write_folder(const std::filesystem::path& path, const Tensor& frames, Existing existing) {
  FrameFolderWriter writer(path, existing);
  for (const Tensor& slice : frames.split(2)) writer.write(slice);
  writer.finish();
}

TEST_CASE("a folder of frames holds them exactly, numbered from 0", "[media]") {
  const TempDir folder;
  const Tensor frames = test::noise_frames(3, 24, 40);
  const std::string name = GENERATE("frames", "frames/");
  write_folder(folder / name, frames, Existing::refuse);
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"frames"});
  CHECK(test::names_in(folder / "frames") == std::vector<std::string>{"000000.png", "000001.png", "000002.png"});
  CHECK(test::same(read_image(folder / "frames" / "000002.png"), frames[2]));
}

TEST_CASE("an empty folder is filled", "[media]") {
  const TempDir folder;
  std::filesystem::create_directory(folder / "frames");
  write_folder(folder / "frames", test::numbered_frames(1), Existing::refuse);
  CHECK(test::names_in(folder / "frames") == std::vector<std::string>{"000000.png"});
}

TEST_CASE("frames of an earlier run are replaced only when asked", "[media]") {
  const TempDir folder;
  write_folder(folder / "frames", test::numbered_frames(3), Existing::refuse);
  const auto again = [&](Existing existing) { write_folder(folder / "frames", test::numbered_frames(1), existing); };
  CHECK(error_of([&] { again(Existing::refuse); }).kind() == ErrorKind::output);
  CHECK(test::names_in(folder / "frames").size() == 3);
  again(Existing::replace);
  CHECK(test::names_in(folder / "frames").size() == 1);
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"frames"});
}

TEST_CASE("a folder with other files is never replaced", "[media]") {
  const TempDir folder;
  write_folder(folder / "frames", test::numbered_frames(1), Existing::refuse);
  test::write_text(folder / "frames" / "thesis.txt", "years");
  const Error error = error_of([&] { write_folder(folder / "frames", test::numbered_frames(1), Existing::replace); });
  CHECK(error.kind() == ErrorKind::output);
  CHECK_THAT(error.what(), Catch::Matchers::EndsWith("holds thesis.txt, which is not a frame"));
  CHECK(test::read_text(folder / "frames" / "thesis.txt") == "years");
}

TEST_CASE("a folder that is not finished leaves nothing", "[media]") {
  const TempDir folder;
  {
    FrameFolderWriter writer(folder / "frames", Existing::refuse);
    writer.write(test::numbered_frames(2));
  }
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a folder below one that is absent is an output error", "[media]") {
  const TempDir folder;
  CHECK(error_of([&] { check_frame_folder(folder / "a" / "b", Existing::refuse); }).kind() == ErrorKind::output);
  test::write_text(folder / "file", "");
  CHECK(error_of([&] { check_frame_folder(folder / "file", Existing::replace); }).kind() == ErrorKind::output);
}

}  // namespace
}  // namespace faststar
