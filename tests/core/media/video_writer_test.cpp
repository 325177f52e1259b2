#include "core/media/video_writer.h"

#include <filesystem>

#include "core/media/colour.h"
#include "core/media/frame_source.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "core/model/vae/video_vae.h"
#include "core/model/vae/yuv420.h"
#include "support/full_disk.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

const VideoFormat kSmall{.width = 64, .height = 48};

TEST_CASE("a written video holds its frames at exactly 16 a second", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(17));
  VideoReader video(folder / "v.mp4");
  CHECK(video.info().width == 64);
  CHECK(video.info().height == 48);
  CHECK(video.info().fps == 16);
  CHECK(video.info().frames == 17);
  CHECK(video.info().duration == 17.0 / 16);
  CHECK_FALSE(video.info().variable_rate);
  for (int64_t i = 0; i < 17; ++i) {
    REQUIRE(video.advance());
    CHECK(test::number_of(video.pixels()) == i);
    CHECK(video.time() == static_cast<double>(i) / 16);
  }
  CHECK_FALSE(video.advance());
}

TEST_CASE("a video says that it is BT.601, limited range, and has its index in front", "[media]") {
  const TempDir folder;
  test::write_video(folder / "v.mp4", test::numbered_frames(3));
  const auto input = ffmpeg::open_input(folder / "v.mp4");
  REQUIRE(avformat_find_stream_info(input.get(), nullptr) >= 0);
  REQUIRE(input->nb_streams == 1);
  const AVCodecParameters& stream = *input->streams[0]->codecpar;
  CHECK(stream.codec_id == AV_CODEC_ID_H264);
  CHECK(stream.format == AV_PIX_FMT_YUV420P);
  CHECK(stream.color_space == AVCOL_SPC_SMPTE170M);
  CHECK(stream.color_primaries == AVCOL_PRI_SMPTE170M);
  CHECK(stream.color_trc == AVCOL_TRC_SMPTE170M);
  CHECK(stream.color_range == AVCOL_RANGE_MPEG);
  CHECK(av_q2d(input->streams[0]->r_frame_rate) == 16);
  const std::string bytes = test::read_text(folder / "v.mp4");
  CHECK(bytes.find("moov") < bytes.find("mdat"));
}

TEST_CASE("colours come back from H.264 within a few levels", "[media]") {
  const TempDir folder;
  const Tensor colour = GENERATE(test::plain(200, 30, 60), test::plain(0, 0, 255), test::plain(255, 255, 255),
                                 test::plain(0, 0, 0), test::plain(12, 200, 90));
  test::write_video(folder / "v.mp4", colour.unsqueeze(0).repeat({5, 1, 1, 1}));
  VideoReader video(folder / "v.mp4");
  REQUIRE(video.advance());
  CHECK((video.pixels().to(at::kInt) - colour.to(at::kInt)).abs().max().item<int>() <= 4);
}

TEST_CASE("lossless video gives exactly the frames back, also at odd sizes", "[media]") {
  const TempDir folder;
  const Tensor frames = test::noise_frames(4, 37, 53);
  test::write_video(folder / "v.mkv", frames, {.lossless = true}, "said");
  VideoReader video(folder / "v.mkv");
  CHECK(video.info().fps == 16);
  CHECK(video.info().frames == 4);
  CHECK(test::same(frames_at(video, {0, 1, 2, 3}, [](const Tensor& frame) { return frame; }), frames));
}

TEST_CASE("the same frames give the same file", "[media]") {
  const TempDir folder;
  struct Case {
    bool lossless;
    const char* first;
    const char* second;
  };
  const auto c = GENERATE(Case{false, "a.mp4", "b.mp4"}, Case{false, "a.mkv", "b.mkv"}, Case{true, "a.mkv", "b.mkv"});
  const Tensor frames = at::arange(6 * 48 * 64 * 3).div(200, "floor").to(at::kByte).view({6, 48, 64, 3});
  test::write_video(folder / c.first, frames, {.lossless = c.lossless}, "{}");
  test::write_video(folder / c.second, frames, {.lossless = c.lossless}, "{}");
  CHECK(test::read_text(folder / c.first) == test::read_text(folder / c.second));
}

TEST_CASE("planes give the same picture as the RGB that they were made from", "[media]") {
  const Tensor pixels = test::noise_frames(5, 48, 64).to(at::kFloat);  // [F, H, W, 3]
  const Tensor decoded = (pixels / 127.5 - 1).permute({3, 0, 1, 2}).unsqueeze(0);
  const Tensor rgb = to_frames(decoded), planes = to_yuv420(decoded);
  for (int64_t frame = 0; frame < rgb.size(0); ++frame) {
    const auto expected = FromRgb(64, 48, {})(rgb[frame].contiguous().const_data_ptr<uint8_t>());
    const auto picture = picture_of_planes(planes[frame].const_data_ptr<uint8_t>(), 64, 48);
    CHECK(picture->color_range == expected->color_range);
    for (const int plane : {0, 1, 2}) {
      const int width = plane == 0 ? 64 : 32, height = plane == 0 ? 48 : 24;
      for (int line = 0; line < height; ++line) {
        const uint8_t* made = picture->data[plane] + line * picture->linesize[plane];
        CHECK(std::equal(made, made + width, expected->data[plane] + line * expected->linesize[plane]));
      }
    }
  }
}

TEST_CASE("a video can be written from planes", "[media]") {
  const TempDir folder;
  const Tensor pixels = test::noise_frames(5, 48, 64).to(at::kFloat);
  const Tensor decoded = (pixels / 127.5 - 1).permute({3, 0, 1, 2}).unsqueeze(0);
  const auto writer = make_video_writer(folder / "planes.mp4", kSmall, {.crf = 1}, {}, Existing::refuse);
  writer->write(to_yuv420(decoded));
  writer->finish();
  test::write_video(folder / "rgb.mp4", to_frames(decoded), {.crf = 1});
  const auto frames_of = [&](const char* name) {
    VideoReader video(folder / name);
    return frames_at(video, {0, 1, 2, 3, 4}, [](const Tensor& frame) { return frame; });
  };
  const Tensor difference = frames_of("planes.mp4").to(at::kFloat) - frames_of("rgb.mp4").to(at::kFloat);
  CHECK(difference.abs().mean().item<double>() < 1);  // x264 need not decide alike; another frame differs by 50
}

TEST_CASE("a lossless video takes RGB alone", "[media]") {
  const TempDir folder;
  const auto writer = make_video_writer(folder / "v.mkv", kSmall, {.lossless = true}, {}, Existing::refuse);
  const Tensor planes = at::zeros({1, 72, 64}, at::kByte);
  CHECK(error_of([&] { writer->write(planes); }).kind() == ErrorKind::internal);
}

TEST_CASE("a higher crf makes a smaller file, another preset another one", "[media]") {
  const TempDir folder;
  const Tensor frames = test::noise_frames(8, 96, 128);
  test::write_video(folder / "17.mp4", frames);
  test::write_video(folder / "40.mp4", frames, {.crf = 40});
  test::write_video(folder / "fast.mp4", frames, {.preset = H264Preset::ultrafast});
  namespace fs = std::filesystem;
  CHECK(fs::file_size(folder / "40.mp4") * 2 < fs::file_size(folder / "17.mp4"));
  CHECK(fs::file_size(folder / "fast.mp4") != fs::file_size(folder / "17.mp4"));
}

TEST_CASE("a video appears under its name only when it is whole", "[media]") {
  const TempDir folder;
  {
    const auto writer = make_video_writer(folder / "v.mp4", kSmall, {}, {}, Existing::refuse);
    writer->write(test::numbered_frames(40));
    CHECK_FALSE(std::filesystem::exists(folder / "v.mp4"));
  }
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a disk that fills is an output error and leaves nothing behind", "[media]") {
  const TempDir folder;
  const VideoFormat format{.width = 320, .height = 240};
  const Tensor frames = test::noise_frames(20, 240, 320);
  const auto [lossless, name] = GENERATE(std::tuple(false, "v.mp4"), std::tuple(true, "v.mkv"));
  {
    const test::FullDisk disk(64 * 1024);
    const Error error = error_of([&, lossless = lossless, name = name] {
      const auto writer = make_video_writer(folder / name, format, {.lossless = lossless}, {}, Existing::refuse);
      writer->write(frames);
      writer->finish();
    });
    CHECK(error.kind() == ErrorKind::output);
    CHECK(std::string(error.what()) == (folder / name).string() + ": cannot write: File too large");
  }
  CHECK(test::names_in(folder.path()).empty());
}

TEST_CASE("a disk that fills with the last bytes is noticed too", "[media]") {
  const TempDir folder;
  test::write_video(folder / "whole.mp4", test::noise_frames(2, 48, 64));
  const auto size = std::filesystem::file_size(folder / "whole.mp4");
  {
    const test::FullDisk disk(size - 1);
    const auto write = [&] { test::write_video(folder / "v.mp4", test::noise_frames(2, 48, 64)); };
    CHECK(error_of(write).kind() == ErrorKind::output);
  }
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"whole.mp4"});
}

TEST_CASE("an existing video is refused, or replaced when asked", "[media]") {
  const TempDir folder;
  test::write_text(folder / "v.mp4", "precious");
  const Error error = error_of([&] { make_video_writer(folder / "v.mp4", kSmall, {}, {}, Existing::refuse); });
  CHECK(error.kind() == ErrorKind::output);
  CHECK(test::read_text(folder / "v.mp4") == "precious");

  const auto writer = make_video_writer(folder / "v.mp4", kSmall, {}, {}, Existing::replace);
  writer->write(test::numbered_frames(2));
  CHECK(test::read_text(folder / "v.mp4") == "precious");
  writer->finish();
  CHECK(VideoReader(folder / "v.mp4").info().frames == 2);
}

TEST_CASE("what cannot be written is said before any file is made", "[media]") {
  struct Case {
    const char* path;
    VideoFormat format;
    VideoEncoding encoding;
    const char* says;
  };
  const auto c = GENERATE(from_range(std::vector<Case>{
      {"v.mp4", kSmall, {.lossless = true}, "v.mp4: lossless video needs a name that ends in .mkv"},
      {"v.avi", kSmall, {}, "v.avi: expected a name that ends in .mp4, .mkv, .mov, .webm, .webp or .gif"},
      {"v", kSmall, {}, "v: expected a name that ends in .mp4"},
      {"v.mp4", {.width = 63, .height = 48}, {}, "63x48: H.264 with yuv420p needs an even width and height"},
  }));
  const Error error = error_of([&] { check_video_output(c.path, c.format, c.encoding); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith(c.says));
}

TEST_CASE("the suffix chooses container and codec", "[media]") {
  const TempDir folder;
  const std::string name = GENERATE("v.mov", "v.webm", "v.gif", "v.webp");
  const VideoFormat format{.width = 64, .height = 48};
  try {
    check_video_output(name, format, {});
  } catch (const Error& error) {  // what this FFmpeg lacks is said before any work
    CHECK(error.kind() == ErrorKind::output);
    CHECK_THAT(error.what(), ContainsSubstring("this FFmpeg"));
    CHECK_FALSE(error.hint().empty());
    return;
  }
  test::write_video(folder / name, test::numbered_frames(12), {}, "{}");
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{name});
  if (name == "v.webp") {
    const std::string bytes = test::read_text(folder / name);
    CHECK(bytes.starts_with("RIFF"));
    const size_t loop = bytes.find("ANIM");
    REQUIRE(loop != std::string::npos);
    CHECK((bytes[loop + 12] == 0 && bytes[loop + 13] == 0));  // repeats for ever
    return;                                                   // FFmpeg reads no animated WebP
  }
  VideoReader video(folder / name);
  CHECK(video.info().frames == 12);
  for (int64_t i = 0; i < 12; ++i) {
    REQUIRE(video.advance());
    CHECK(test::number_of(video.pixels()) == i);
  }
  if (name != "v.gif") CHECK(read_comment(folder / name) == "{}");
  if (name == "v.gif") CHECK(test::read_text(folder / name).find("NETSCAPE2.0\x03\x01") != std::string::npos);
}

TEST_CASE("a palette has the colours of the whole video", "[media]") {
  if (!test::can_make("v.gif")) return;
  const TempDir folder;
  std::vector<Tensor> frames;
  for (const auto& [red, green, blue] : {std::tuple(200, 30, 40), std::tuple(20, 160, 60), std::tuple(30, 60, 220)}) {
    frames.push_back(test::plain(red, green, blue).unsqueeze(0));
  }
  test::write_video(folder / "v.gif", at::cat(frames, 0));
  VideoReader video(folder / "v.gif");
  for (const Tensor& frame : frames) {
    REQUIRE(video.advance());
    CHECK(test::largest_difference(video.pixels(), frame[0]) <= 8);
  }
}

TEST_CASE("an encoder that this FFmpeg lacks is named with a way out", "[media]") {
  const Error error = error_of([] { ffmpeg::make_encoder("libx999", "--lossless"); });
  CHECK(error.kind() == ErrorKind::output);
  CHECK(std::string(error.what()) == "this FFmpeg has no libx999 encoder");
  CHECK(error.hint() == "--lossless");
}

TEST_CASE("file names with special characters are plain names", "[media]") {
  const TempDir folder;
  const std::string name = GENERATE("a:b.mp4", "%03d.mp4", "[1].mp4", "façades \"2\" 'x'.mp4", "- -.mp4");
  test::write_video(folder / name, test::numbered_frames(2));
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{name});
  CHECK(VideoReader(folder / name).info().frames == 2);
}

TEST_CASE("frames of another shape are our bug and said so", "[media]") {
  const TempDir folder;
  const auto writer = make_video_writer(folder / "v.mp4", kSmall, {}, {}, Existing::refuse);
  CHECK(error_of([&] { writer->write(test::numbered_frames(1, 48, 48)); }).kind() == ErrorKind::internal);
  CHECK(error_of([&] { writer->write(test::numbered_frames(1).to(at::kFloat)); }).kind() == ErrorKind::internal);
  CHECK(error_of([&] { writer->finish(); }).kind() == ErrorKind::internal);
}

}  // namespace
}  // namespace faststar
