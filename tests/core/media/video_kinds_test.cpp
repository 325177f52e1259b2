// Videos as people bring them: uneven, anamorphic, HDR, interlaced, joined, beginning before 0.
#include <ATen/ATen.h>
extern "C" {
#include <libavutil/opt.h>
}

#include <cmath>

#include "core/media/filter.h"
#include "core/media/frame_source.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "support/support.h"

namespace faststar {
namespace {

/// A grey that grows by 40 a second, at these times.
Tensor fade(const std::vector<int64_t>& times_ms) {
  std::vector<Tensor> frames;
  for (const int64_t time : times_ms) {
    const int grey = static_cast<int>(20 + time / 25);
    frames.push_back(test::plain(grey, grey, grey));
  }
  return at::stack(frames);
}

/// `first` frames a second for the first two seconds, `then` for the rest of five.
std::vector<int64_t> times_at(int first, int then) {
  std::vector<int64_t> times;
  for (int i = 0; i < 2 * first; ++i) times.push_back(i * 1000 / first);
  for (int i = 0; i < 3 * then; ++i) times.push_back(2000 + i * 1000 / then);
  return times;
}

/// The greys shown at 2, 2.5, ... 4.5 s.
std::vector<double> greys_from_two(const std::filesystem::path& path) {
  VideoReader video(path);
  std::vector<double> greys;
  const auto keep = [](const Tensor& frame) { return frame; };
  for (const Tensor& frame : frames_shown_at(video, {2, 2.5, 3, 3.5, 4, 4.5}, keep).unbind()) {
    greys.push_back(frame.to(at::kDouble).mean().item<double>());
  }
  return greys;
}

TEST_CASE("a video whose rate changes is known as uneven, and is as long as it is shown", "[media]") {
  if (!test::can_encode("libx264")) return;
  const test::TempDir folder;
  const auto container = GENERATE(as<std::string>{}, "mp4", "matroska");
  const auto [first, then] = GENERATE(std::tuple(30, 20), std::tuple(25, 30), std::tuple(60, 24), std::tuple(12, 15));
  CAPTURE(container, first, then);
  const auto times = times_at(first, then);
  test::write_by_recipe(folder / "v", fade(times), times, {.container = container.c_str(), .b_frames = 2});
  CHECK(VideoReader(folder / "v").info().variable_rate);
  CHECK(std::abs(VideoReader(folder / "v").info().duration - 5) < 0.06);
  const auto constant = times_at(30, 30);
  test::write_by_recipe(folder / "constant", fade(constant), constant, {.container = container.c_str()});
  CHECK_FALSE(VideoReader(folder / "constant").info().variable_rate);
  const auto expected = greys_from_two(folder / "constant"), greys = greys_from_two(folder / "v");
  for (size_t i = 0; i < greys.size(); ++i) CHECK(std::abs(greys[i] - expected[i]) < 5);
}

ffmpeg::FramePtr grey_picture(AVPixelFormat format, int width, int height, int luma, int chroma) {
  auto picture = ffmpeg::make_picture(format, width, height);
  const AVPixFmtDescriptor& layout = *av_pix_fmt_desc_get(format);
  const bool wide = layout.comp[0].depth > 8;
  for (int plane = 0; plane < 3; ++plane) {
    const int value = plane == 0 ? luma : chroma, rows = plane == 0 ? height : height >> layout.log2_chroma_h;
    for (int y = 0; y < rows; ++y) {
      uint8_t* const line = picture->data[plane] + y * picture->linesize[plane];
      for (int x = 0; x < picture->linesize[plane] / (wide ? 2 : 1); ++x) {
        if (wide) {
          reinterpret_cast<uint16_t*>(line)[x] = static_cast<uint16_t>(value);
        } else {
          line[x] = static_cast<uint8_t>(value);
        }
      }
    }
  }
  picture->color_range = AVCOL_RANGE_MPEG;
  return picture;
}

TEST_CASE("pixels that are not square are made so", "[media]") {
  const test::TempDir folder;
  const auto [width, height, shape, expected] =
      GENERATE(std::tuple(720, 576, AVRational{64, 45}, 1024), std::tuple(720, 480, AVRational{8, 9}, 640),
               std::tuple(64, 48, AVRational{1, 1}, 64), std::tuple(64, 48, AVRational{0, 1}, 64));
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 2; ++i) {
    pictures.push_back(grey_picture(AV_PIX_FMT_YUV420P, width, height, 100, 128));
    pictures.back()->pts = i * 40;
    pictures.back()->sample_aspect_ratio = shape;
  }
  test::write_pictures(folder / "v.mkv", pictures);
  VideoReader video(folder / "v.mkv");
  CHECK(video.info().width == expected);
  CHECK(video.info().height == height);
  REQUIRE(video.advance());
  CHECK(video.pixels().sizes() == at::IntArrayRef{height, expected, 3});
}

TEST_CASE("where a video is transparent, white shows", "[media]") {
  const auto [container, encoder] =
      GENERATE(std::tuple("webm", "libvpx"), std::tuple("webm", "libvpx-vp9"), std::tuple("matroska", "ffv1"));
  if (!test::can_encode(encoder) || !test::can_decode(encoder)) return;
  CAPTURE(encoder);
  const test::TempDir folder;
  auto picture = grey_picture(AV_PIX_FMT_YUVA420P, 192, 64, 103, 128);  // grey 101
  for (int y = 0; y < 64; ++y) {
    uint8_t* const line = picture->data[3] + y * picture->linesize[3];
    for (int x = 0; x < 192; ++x) line[x] = x < 64 ? 255 : x < 128 ? 128 : 0;
  }
  picture->pts = 0;
  std::vector<ffmpeg::FramePtr> pictures;
  pictures.push_back(std::move(picture));
  test::write_pictures(folder / "v", pictures, {.container = container, .encoder = encoder, .set_up = [](auto& codec) {
                                                  codec.bit_rate = 10'000'000;
                                                  av_opt_set(codec.priv_data, "auto-alt-ref", "0", 0);
                                                }});
  VideoReader video(folder / "v");
  REQUIRE(video.advance());
  const Tensor shown = video.pixels();
  CHECK(std::abs(shown[32][32][1].item<int>() - 101) <= 2);
  CHECK(std::abs(shown[32][96][1].item<int>() - 178) <= 2);  // half of it
  CHECK(shown[32][160][1].item<int>() >= 253);
}

/// Two frames of one grey, tagged as HDR.
void write_hdr(const std::filesystem::path& path, AVColorTransferCharacteristic transfer, int luma) {
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 2; ++i) {
    pictures.push_back(grey_picture(AV_PIX_FMT_YUV420P10LE, 64, 48, luma, 512));
    pictures.back()->pts = i * 40;
    pictures.back()->color_trc = transfer;
    pictures.back()->color_primaries = AVCOL_PRI_BT2020;
    pictures.back()->colorspace = AVCOL_SPC_BT2020_NCL;
  }
  test::write_pictures(path, pictures);
}

TEST_CASE("HDR is mapped to the range of a screen, or one warning says that it is not", "[media]") {
  const test::TempDir folder;
  // 203 cd/m2, the white of a page (ITU-R BT.2408): 58 % of PQ, 75 % of HLG.
  const auto [transfer, luma, stored] = GENERATE(std::tuple(AVCOL_TRC_SMPTE2084, 64 + 876 * 58 / 100, 148),
                                                 std::tuple(AVCOL_TRC_ARIB_STD_B67, 64 + 876 * 75 / 100, 191));
  write_hdr(folder / "v.mkv", transfer, luma);
  const test::CollectWarnings warnings;
  VideoReader video(folder / "v.mkv");
  while (video.advance()) video.pixels();
  const int grey = video.pixels()[20][20][1].item<int>();
  const auto& filters = ffmpeg::FilterLibrary::system();
  if (filters.has("zscale") && filters.has("tonemap")) {
    CHECK(warnings.lines().empty());
    CHECK(grey > 225);
    CHECK(grey < 245);
  } else {
    CHECK(warnings.lines().size() == 1);
    CHECK(warnings.has("HDR"));
    CHECK(std::abs(grey - stored) < 3);
  }
}

TEST_CASE("without libavfilter, HDR and interlaced pictures stay as they are, with one warning each", "[media]") {
  const ffmpeg::FilterLibrary none("libavfilter-that-is-not-there.so");
  const test::CollectWarnings warnings;
  auto picture = grey_picture(AV_PIX_FMT_YUV420P10LE, 64, 48, 500, 512);
  picture->color_trc = AVCOL_TRC_SMPTE2084;
  ToneMap to_sdr("v.mkv", none);
  CHECK(to_sdr(*picture)->data[0] == picture->data[0]);
  to_sdr(*picture);
  CHECK(make_deinterlacer(*picture, {1, 25}, "v.mkv", none) == nullptr);
  REQUIRE(warnings.lines().size() == 2);
  CHECK(warnings.has("v.mkv: HDR (PQ): colours will look pale"));
  CHECK(warnings.has("v.mkv: interlaced video: moving edges will look like combs"));
}

/// A bright half that moves to the right by 16 a frame, each second line half a frame later.
ffmpeg::FramePtr combed_picture(int number) {
  auto picture = grey_picture(AV_PIX_FMT_YUV420P, 128, 64, 50, 128);
  for (int y = 0; y < 64; ++y) {
    const int edge = 16 * number + 8 * (y % 2);
    std::fill_n(picture->data[0] + y * picture->linesize[0], std::min(edge, 128), uint8_t{200});
  }
  picture->pts = number * 40;
#ifdef AV_FRAME_FLAG_INTERLACED
  picture->flags |= AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
  picture->interlaced_frame = picture->top_field_first = 1;
#endif
  return picture;
}

TEST_CASE("interlaced video is deinterlaced, or one warning says that it is not", "[media]") {
  const test::TempDir folder;
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 7; ++i) pictures.push_back(combed_picture(i));
  test::write_pictures(folder / "v.mkv", pictures, {.set_up = [](AVCodecContext& codec) {
                         codec.flags |= AV_CODEC_FLAG_INTERLACED_DCT;
                         codec.field_order = AV_FIELD_TT;
                         codec.level = 3;  // earlier versions of FFV1 do not store it
                       }});
  const test::CollectWarnings warnings;
  VideoReader video(folder / "v.mkv");
  CHECK(video.info().frames == 7);
  double comb = 0;
  int64_t frames = 0;
  while (video.advance()) {
    CHECK(video.index() == frames);
    CHECK(std::abs(video.time() - 0.04 * static_cast<double>(frames++)) < 1e-6);
    const Tensor grey = video.pixels().select(2, 0).to(at::kDouble);
    comb = std::max(comb, (grey.slice(0, 1) - grey.slice(0, 0, -1)).abs().mean().item<double>());
  }
  CHECK(frames == 7);
  const bool deinterlaces = ffmpeg::FilterLibrary::system().has("bwdif");
  CHECK(warnings.lines().size() == (deinterlaces ? 0 : 1));
  CHECK((comb < 3) == deinterlaces);  // 9 as stored
}

TEST_CASE("video whose codec has no word for it is deinterlaced where the container says so", "[media]") {
  if (!test::can_encode("huffyuv") || !ffmpeg::FilterLibrary::system().has("bwdif")) return;
  const test::TempDir folder;
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 7; ++i) {
    const auto combed = combed_picture(i);
    auto picture = grey_picture(AV_PIX_FMT_YUV422P, 128, 64, 50, 128);
    av_image_copy_plane(picture->data[0], picture->linesize[0], combed->data[0], combed->linesize[0], 128, 64);
    picture->pts = combed->pts;
    pictures.push_back(std::move(picture));
  }
  test::write_pictures(folder / "v.mkv", pictures, {.encoder = "huffyuv", .set_up = [](AVCodecContext& codec) {
                                                      codec.field_order = AV_FIELD_TT;
                                                    }});
  VideoReader video(folder / "v.mkv");
  double comb = 0;
  while (video.advance()) {
    const Tensor grey = video.pixels().select(2, 0).to(at::kDouble);
    comb = std::max(comb, (grey.slice(0, 1) - grey.slice(0, 0, -1)).abs().mean().item<double>());
  }
  CHECK(comb < 3);
}

TEST_CASE("video in wide colours is converted to sRGB", "[media]") {
  const test::TempDir folder;
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 2; ++i) {
    pictures.push_back(ffmpeg::make_picture(AV_PIX_FMT_BGR0, 64, 48));
    for (int y = 0; y < 48; ++y) {
      for (int x = 0; x < 64; ++x) {
        uint8_t* const pixel = pictures.back()->data[0] + y * pictures.back()->linesize[0] + 4 * x;
        pixel[0] = 60, pixel[1] = 100, pixel[2] = 200, pixel[3] = 0;
      }
    }
    pictures.back()->pts = 40 * i;
    pictures.back()->color_primaries = AVCOL_PRI_SMPTE432;
  }
  test::write_pictures(folder / "v.mkv", pictures);
  VideoReader video(folder / "v.mkv");
  REQUIRE(video.advance());
  CHECK(test::largest_difference(video.pixels(), test::plain(215, 93, 47)) <= 3);
}

TEST_CASE("a program stream, where only some packets say when they are shown, is even", "[media]") {
  if (!test::can_encode("mpeg2video") || !test::can_write("mpeg")) return;
  const test::TempDir folder;
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 75; ++i) {
    pictures.push_back(grey_picture(AV_PIX_FMT_YUV420P, 64, 48, 40 + i, 128));
    pictures.back()->pts = i;
  }
  test::write_pictures(folder / "v.mpg", pictures,
                       {.container = "mpeg", .encoder = "mpeg2video", .time_base = {1, 25}});
  const VideoReader video(folder / "v.mpg");
  CHECK_FALSE(video.info().variable_rate);
  CHECK(video.info().duration == 3);
}

/// 24 frames at 16 a second as a transport stream that begins at `start`.
std::string transport_stream(const test::TempDir& folder, int64_t start) {
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 24; ++i) times.push_back(start + i * 1000 / 16);
  test::write_by_recipe(folder / "part.ts", test::moving_frames(24), times, {.container = "mpegts"});
  return test::read_text(folder / "part.ts");
}

TEST_CASE("a transport stream whose times start again or jump is as long as its frames", "[media]") {
  if (!test::can_encode("libx264") || !test::can_write("mpegts")) return;
  const test::TempDir folder;
  const int64_t first = GENERATE(0, 40000), second = GENERATE(0, 9000, 3600000);
  CAPTURE(first, second);
  test::write_text(folder / "v.ts", transport_stream(folder, first) + transport_stream(folder, second));
  VideoReader video(folder / "v.ts");
  CHECK(video.info().frames == 48);
  CHECK(std::abs(video.info().duration - 3) < 0.1);
  double last = -1;
  int64_t frames = 0;
  for (; video.advance(); ++frames) {
    CHECK(video.time() > last);
    last = video.time();
  }
  CHECK(frames == 48);
  CHECK(std::abs(last - 47 / 16.0) < 0.1);
}

TEST_CASE("a video that begins before 0 has its own length", "[media]") {
  const test::TempDir folder;
  const auto container = GENERATE(as<std::string>{}, "matroska", "flv");
  const bool flv = container == "flv";
  if (flv && (!test::can_encode("libx264") || !test::can_write("flv") || !test::can_read("flv"))) return;
  CAPTURE(container);
  std::vector<ffmpeg::FramePtr> pictures;
  for (int i = 0; i < 30; ++i) {
    pictures.push_back(grey_picture(AV_PIX_FMT_YUV420P, 64, 48, 20 + 4 * i, 128));
    pictures.back()->pts = -330 + i * 40;
  }
  test::write_pictures(folder / "v", pictures,
                       {.container = container.c_str(),
                        .encoder = flv ? "libx264" : "ffv1",
                        .set_up = [](AVCodecContext& codec) { codec.max_b_frames = 0; },
                        .set_up_file = [](AVFormatContext& file) { file.avoid_negative_ts = 0; }});
  VideoReader video(folder / "v");
  CHECK(std::abs(video.info().duration - 30 * 0.04) < 0.05);
  double last = -0.04;
  for (; video.advance(); last = video.time()) CHECK(std::abs(video.time() - last - 0.04) < 0.005);
  CHECK(std::abs(last - 29 * 0.04) < 0.01);
}

}  // namespace
}  // namespace faststar
