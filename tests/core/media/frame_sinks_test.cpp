#include "core/media/frame_sinks.h"

#include <atomic>
#include <filesystem>
#include <future>

#include "core/media/image.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;

/// What happened to a sink, seen from outside after it has moved into another.
struct Record {
  std::vector<int64_t> numbers;
  std::atomic<bool> finished = false;
  std::promise<void> may_write;
};

/// Keeps the numbers of its frames; fails at one of them; may be held up until told.
class RecordingSink final : public FrameSink {
 public:
  RecordingSink(Record& record, int64_t fail_at, bool waits)
      : record_(record), fail_at_(fail_at), gate_(record.may_write.get_future()), waits_(waits) {}
  void write(const Tensor& frames) override {
    if (waits_) gate_.wait();
    for (const Tensor& frame : frames.unbind(0)) {
      if (test::number_of(frame) == fail_at_) fail(ErrorKind::output, "disk full");
      record_.numbers.push_back(test::number_of(frame));
    }
  }
  void complete() override {
    if (fail_at_ == kFinish) fail(ErrorKind::output, "cannot rename");
  }
  void publish() override { record_.finished = true; }
  static constexpr int64_t kNever = -1, kFinish = -2;

 private:
  Record& record_;
  int64_t fail_at_;
  std::future<void> gate_;
  bool waits_;
};

std::unique_ptr<FrameSink> recorder(Record& record, int64_t fail_at = RecordingSink::kNever) {
  return std::make_unique<RecordingSink>(record, fail_at, false);
}

TEST_CASE("a background sink hands on every frame in order", "[media]") {
  Record record;
  const auto sink = in_background(recorder(record), 2);
  for (const Tensor& slice : test::numbered_frames(20).split(3)) sink->write(slice);
  sink->finish();
  CHECK(record.finished);
  REQUIRE(record.numbers.size() == 20);
  for (int64_t i = 0; i < 20; ++i) CHECK(record.numbers[static_cast<size_t>(i)] == i);
}

TEST_CASE("writing does not wait for the other sink until the queue is full", "[media]") {
  Record record;
  const auto sink = in_background(std::make_unique<RecordingSink>(record, RecordingSink::kNever, true), 3);
  for (int i = 0; i < 3; ++i) sink->write(test::numbered_frames(1));  // returns although nothing can be written yet
  record.may_write.set_value();
  sink->finish();
  CHECK(record.numbers.size() == 3);
}

TEST_CASE("an error behind a background sink comes out of a later call, each time", "[media]") {
  Record record;
  const auto sink = in_background(recorder(record, 2), 1);
  const auto write_all = [&] {
    for (int i = 0; i < 10; ++i) sink->write(test::numbered_frames(5));
  };
  CHECK(std::string(error_of(write_all).what()) == "disk full");
  CHECK(error_of([&] { sink->finish(); }).kind() == ErrorKind::output);
  CHECK_FALSE(record.finished);
}

TEST_CASE("an error in the last slice comes out of finish", "[media]") {
  Record record;
  const auto sink = in_background(recorder(record, 0));
  sink->write(test::numbered_frames(1));
  CHECK(std::string(error_of([&] { sink->finish(); }).what()) == "disk full");
}

TEST_CASE("an error while finishing comes out of finish", "[media]") {
  Record record;
  const auto sink = in_background(recorder(record, RecordingSink::kFinish));
  sink->write(test::numbered_frames(1));
  CHECK(std::string(error_of([&] { sink->finish(); }).what()) == "cannot rename");
}

TEST_CASE("a background sink that is dropped finishes nothing and leaves no file", "[media]") {
  const test::TempDir folder;
  Record record;
  { in_background(recorder(record))->write(test::numbered_frames(1)); }
  CHECK_FALSE(record.finished);
  {
    const auto sink = in_background(make_video_writer(folder / "v.mp4", VideoFormat{.width = 64, .height = 48},
                                                      VideoEncoding{}, VideoExtras{}, Existing::refuse));
    sink->write(test::numbered_frames(30));
  }
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a video written in the background is whole", "[media]") {
  const test::TempDir folder;
  const auto sink = in_background(make_video_writer(folder / "v.mp4", VideoFormat{.width = 64, .height = 48},
                                                    VideoEncoding{}, VideoExtras{}, Existing::refuse));
  for (const Tensor& slice : test::numbered_frames(17).split(4)) sink->write(slice);
  sink->finish();
  CHECK(VideoReader(folder / "v.mp4").info().frames == 17);
}

using test::TempDir;

void write_folder(const std::filesystem::path& path, const Tensor& frames, Existing existing) {
  const auto writer = make_frame_folder_writer(path, existing);
  for (const Tensor& slice : frames.split(2)) writer->write(slice);
  writer->finish();
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
    const auto writer = make_frame_folder_writer(folder / "frames", Existing::refuse);
    writer->write(test::numbered_frames(2));
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
