#include "core/media/video_reader.h"

#include <cmath>

#include "core/media/frame_source.h"
#include "core/media/sample_media.h"
#include "support/support.h"

extern "C" {
#include <ATen/ATen.h>
#include <libavformat/avformat.h>
}

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

Tensor unchanged(const Tensor& frame) { return frame; }

std::vector<int64_t> numbers_of(const Tensor& frames) {
  std::vector<int64_t> numbers;
  for (const Tensor& frame : frames.unbind(0)) numbers.push_back(test::number_of(frame));
  return numbers;
}

void read_to_the_end(const std::filesystem::path& path) {
  VideoReader video(path);
  while (video.advance()) video.pixels();
}

std::string sample_video_bytes(const TempDir& folder, const std::string& name, const Tensor& frames) {
  test::write_video(folder / name, frames);
  return test::read_text(folder / name);
}

TEST_CASE("frames are taken by number, repeats included", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(20));
  VideoReader video(folder / "v.mp4");
  const Tensor frames = frames_at(video, {0, 3, 3, 4, 19, 19}, unchanged);
  CHECK(frames.sizes() == at::IntArrayRef{6, 48, 64, 3});
  CHECK(numbers_of(frames) == std::vector<int64_t>{0, 3, 3, 4, 19, 19});
}

TEST_CASE("the transform is applied to each frame that is taken, once", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(10));
  VideoReader video(folder / "v.mp4");
  int calls = 0;
  const Tensor frames = frames_at(video, {2, 2, 5}, [&](const Tensor& frame) {
    ++calls;
    return frame.narrow(0, 0, 4).contiguous();
  });
  CHECK(calls == 2);
  CHECK(frames.sizes() == at::IntArrayRef{3, 4, 64, 3});
}

TEST_CASE("uneven frames are resampled by the times they are shown", "[media]") {
  const TempDir folder;
  test::write_uneven_video(folder / "v.mkv", test::numbered_frames(6), {0, 40, 300, 310, 600, 640});
  VideoReader video(folder / "v.mkv");
  CHECK(video.info().variable_rate);
  CHECK(video.info().frames == 6);
  CHECK(numbers_of(frames_shown_at(video, {0, 0.039, 0.04, 0.2, 0.299, 0.305, 0.5, 0.61}, unchanged)) ==
        std::vector<int64_t>{0, 0, 1, 1, 1, 2, 3, 4});
}

TEST_CASE("resampling a 16 fps video to 16 fps changes nothing", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(12));
  VideoReader video(folder / "v.mp4");
  std::vector<double> times;
  std::vector<int64_t> expected;
  for (int j = 0; j < 12; ++j) {
    times.push_back(j / 16.0);
    expected.push_back(j);
  }
  CHECK(numbers_of(frames_shown_at(video, times, unchanged)) == expected);
}

TEST_CASE("a video that starts late starts at time 0", "[media]") {
  const TempDir folder;
  test::write_uneven_video(folder / "v.mkv", test::numbered_frames(3), {5000, 5100, 5200});
  VideoReader video(folder / "v.mkv");
  REQUIRE(video.advance());
  CHECK(video.time() == 0);
  CHECK(std::abs(video.end_time() - 0.1) < 1e-9);
}

TEST_CASE("asking for more than the video has is an input error", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(5));
  VideoReader by_number(folder / "v.mp4");
  const Error error = error_of([&] { frames_at(by_number, {0, 5}, unchanged); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == "the video ends after 5 frames (0.31 s), before the part that is needed");
  VideoReader by_time(folder / "v.mp4");
  CHECK(error_of([&] { frames_shown_at(by_time, {0, 0.4}, unchanged); }).kind() == ErrorKind::input);
}

// The matrix of a phone held upright, put where the track header has it.
void turn_quarter(std::string& mp4) {
  const std::string matrix("\0\0\0\0\0\1\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0", 24);
  mp4.replace(mp4.find("tkhd") + 44, matrix.size(), matrix);
}

TEST_CASE("a video turned by its container is read upright", "[media]") {
  const TempDir folder;
  Tensor frames = test::numbered_frames(2);
  frames.narrow(1, 0, 24).fill_(255);  // the stored upper half is the right half once turned
  std::string bytes = sample_video_bytes(folder, "v.mp4", frames);
  turn_quarter(bytes);
  test::write_text(folder / "turned.mp4", bytes);
  VideoReader video(folder / "turned.mp4");
  CHECK(video.info().width == 48);
  CHECK(video.info().height == 64);
  REQUIRE(video.advance());
  const Tensor pixels = video.pixels();
  CHECK(pixels.sizes() == at::IntArrayRef{64, 48, 3});
  CHECK(pixels[10][40][0].item<int>() > 240);
  CHECK(pixels[10][8][0].item<int>() < 60);
}

TEST_CASE("files that are no video are input errors that name the file", "[media]") {
  const TempDir folder;
  test::write_text(folder / "empty.mp4", "");
  test::write_text(folder / "text.mp4", std::string(5000, 'x'));
  const auto [name, says] = GENERATE(std::pair("absent.mp4", ": cannot read: No such file or directory"),
                                     std::pair("empty.mp4", ": cannot read: "), std::pair("text.mp4", ": cannot read"),
                                     std::pair(".", ": cannot read: expected a file, got a folder"));
  const Error error = error_of([&, name = name] { VideoReader video(folder / name); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith((folder / name).string() + says));
}

TEST_CASE("a video cut off anywhere is an input error", "[media]") {
  const TempDir folder;
  const std::string bytes = sample_video_bytes(folder, "v.mp4", test::noise_frames(20, 48, 64));
  const double share = GENERATE(0.001, 0.01, 0.1, 0.5, 0.9, 0.999);
  test::write_text(folder / "cut.mp4", bytes.substr(0, static_cast<size_t>(share * static_cast<double>(bytes.size()))));
  const Error error = error_of([&] { read_to_the_end(folder / "cut.mp4"); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith((folder / "cut.mp4").string() + ": "));
}

/// Where each frame's bytes begin in the file, in file order.
std::vector<int64_t> packet_positions(const std::filesystem::path& path) {
  const auto input = ffmpeg::open_input(path);
  const auto packet = ffmpeg::make_packet();
  std::vector<int64_t> positions;
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    positions.push_back(packet->pos);
    av_packet_unref(packet.get());
  }
  return positions;
}

TEST_CASE("a video cut off between two frames says how many are there", "[media]") {
  const TempDir folder;
  const std::string bytes = sample_video_bytes(folder, "v.mp4", test::noise_frames(20, 48, 64));
  const auto positions = packet_positions(folder / "v.mp4");
  REQUIRE(positions.size() == 20);
  test::write_text(folder / "cut.mp4", bytes.substr(0, static_cast<size_t>(positions[12])));
  const Error error = error_of([&] { read_to_the_end(folder / "cut.mp4"); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), Catch::Matchers::EndsWith("cut off: expected 20 frames, got 12"));
}

/// Every frame of a file, decoded from its start.
struct WholeVideo {
  explicit WholeVideo(const std::filesystem::path& path) {
    VideoReader video(path);
    while (video.advance()) {
      pixels.push_back(video.pixels());
      times.push_back(video.time());
    }
  }
  std::vector<Tensor> pixels;
  std::vector<double> times;
};

/// The frames from `first` on, every second one, are those of reading from the start; so are their numbers and times.
void check_skipping_to(const std::filesystem::path& path, const WholeVideo& whole, size_t first) {
  CAPTURE(path.filename().string(), first);
  std::vector<int64_t> numbers;
  std::vector<double> times;
  std::vector<Tensor> expected;
  for (size_t i = first; i < whole.pixels.size(); i += 2) {
    numbers.push_back(static_cast<int64_t>(i));
    times.push_back(whole.times[i]);
    expected.push_back(whole.pixels[i]);
  }
  VideoReader by_number(path);
  CHECK(test::same(frames_at(by_number, numbers, unchanged), at::stack(expected)));
  CHECK(by_number.index() == numbers.back());
  CHECK(by_number.time() == times.back());
  VideoReader by_time(path);
  CHECK(test::same(frames_shown_at(by_time, times, unchanged), at::stack(expected)));
  CHECK(by_time.index() == numbers.back());
}

/// 60 frames with a keyframe every 8: 16 a second, or at uneven times; from 0 or from 5 s on.
std::vector<int64_t> sample_times(bool uneven, int64_t start) {
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 60; ++i) times.push_back(start + (uneven ? i * 20 + i / 7 * 90 : i * 1000 / 16));
  return times;
}

TEST_CASE("what is skipped changes no frame, number or time of what follows", "[media]") {
  if (!test::can_encode("libx264")) return;
  const TempDir folder;
  const auto recipe =
      GENERATE(as<test::VideoRecipe>{}, test::VideoRecipe{}, test::VideoRecipe{.b_frames = 3},
               test::VideoRecipe{.b_frames = 3, .open_gop = true}, test::VideoRecipe{.container = "matroska"},
               test::VideoRecipe{.container = "matroska", .b_frames = 3},
               test::VideoRecipe{.container = "matroska", .b_frames = 2, .open_gop = true},
               test::VideoRecipe{.container = "matroska", .without_index = "live", .b_frames = 2});
  const bool uneven = GENERATE(false, true);
  const int64_t start = GENERATE(0, 5000);
  CAPTURE(recipe.container, recipe.b_frames, recipe.open_gop, uneven, start);
  test::write_by_recipe(folder / "v", test::moving_frames(60), sample_times(uneven, start), recipe);
  const WholeVideo whole(folder / "v");
  REQUIRE(whole.pixels.size() == 60);
  for (const size_t first : {0, 1, 7, 8, 9, 31, 32, 33, 55, 56, 59}) check_skipping_to(folder / "v", whole, first);
}

TEST_CASE("frames before the keyframe are skipped", "[media]") {
  if (!test::can_encode("libx264")) return;
  const TempDir folder;
  const auto recipe = GENERATE(as<test::VideoRecipe>{}, test::VideoRecipe{}, test::VideoRecipe{.b_frames = 3},
                               test::VideoRecipe{.container = "matroska", .b_frames = 3});
  test::write_by_recipe(folder / "v", test::moving_frames(60), sample_times(false, 0), recipe);
  const auto [frame, expected] =
      GENERATE(std::pair(0, 0), std::pair(7, 0), std::pair(40, 40), std::pair(47, 40), std::pair(1000, 56));
  VideoReader by_number(folder / "v");
  by_number.skip_towards_frame(frame);
  REQUIRE(by_number.advance());
  CHECK(by_number.index() == expected);
  VideoReader by_time(folder / "v");
  by_time.skip_towards_time(frame / 16.0 + 0.01);
  REQUIRE(by_time.advance());
  CHECK(by_time.index() == expected);
}

TEST_CASE("where a container does not lead to its keyframes for certain, nothing is skipped", "[media]") {
  if (!test::can_encode("libx264") || !test::can_write("mpegts")) return;
  const TempDir folder;
  test::write_by_recipe(folder / "v", test::moving_frames(60), sample_times(false, 0), {.container = "mpegts"});
  VideoReader video(folder / "v");
  video.skip_towards_frame(40);
  REQUIRE(video.advance());
  CHECK(video.index() == 0);
}

TEST_CASE("a video cut off before its keyframe is refused as one that is read from the start", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::noise_frames(600, 48, 64));
  const auto positions = packet_positions(folder / "v.mp4");
  const std::string bytes = test::read_text(folder / "v.mp4");
  test::write_text(folder / "cut.mp4", bytes.substr(0, static_cast<size_t>(positions[100])));
  VideoReader video(folder / "cut.mp4");
  const Error error = error_of([&] { frames_at(video, {500, 501}, unchanged); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), Catch::Matchers::EndsWith("cut off: expected 600 frames, got 100"));
}

TEST_CASE("a video whose structure is damaged is an input error", "[media]") {
  const TempDir folder;
  std::string bytes = sample_video_bytes(folder, "v.mp4", test::noise_frames(20, 48, 64));
  const auto position = static_cast<size_t>(packet_positions(folder / "v.mp4")[8]);
  bytes.replace(position, 2000, 2000, '\x7f');
  test::write_text(folder / "damaged.mp4", bytes);
  CHECK(error_of([&] { read_to_the_end(folder / "damaged.mp4"); }).kind() == ErrorKind::input);
}

TEST_CASE("a damaged frame is used with one warning", "[media]") {
  const TempDir folder;
  std::string bytes = sample_video_bytes(folder, "v.mp4", test::noise_frames(20, 48, 64));
  const auto positions = packet_positions(folder / "v.mp4");
  for (const size_t frame : {8, 12}) bytes.replace(static_cast<size_t>(positions[frame]) + 200, 30, 30, '\x7f');
  test::write_text(folder / "damaged.mp4", bytes);
  const test::CollectWarnings warnings;
  read_to_the_end(folder / "damaged.mp4");
  REQUIRE(warnings.lines().size() == 1);
  CHECK(warnings.has("is damaged; used as decoded"));
}

TEST_CASE("a container without frames is an input error", "[media]") {
  const TempDir folder;
  test::write_uneven_video(folder / "v.mkv", test::numbered_frames(1), {});
  CHECK(error_of([&] { VideoReader video(folder / "v.mkv"); }).kind() == ErrorKind::input);
}

// Half a second of silence, 8 kHz, mono, 16 bit.
std::string silent_wav() {
  const std::string header(
      "RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\x40\x1f\0\0", 44);
  return header + std::string(8000, '\0');
}

TEST_CASE("sound without pictures is no video", "[media]") {
  if (!test::can_read("wav")) return;
  const TempDir folder;
  test::write_text(folder / "s.wav", silent_wav());
  const Error error = error_of([&] { VideoReader video(folder / "s.wav"); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == (folder / "s.wav").string() + ": contains no video");
}

}  // namespace
}  // namespace faststar
