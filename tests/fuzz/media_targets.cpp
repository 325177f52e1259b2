#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/media/colour_profile.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/picture_bytes.h"
#include "core/media/picture_colour.h"
#include "core/media/picture_file.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "core/media/video_writer.h"
#include "core/pipeline/source.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

/// The largest picture that is read, with 15 bytes a pixel, and the program itself.
constexpr int64_t kPictureMebibytes = 2300;

/// Of what a run would make of a picture or video.
const VideoSize kSmallSize{.height = 32, .width = 48};

void check_pixels(const Tensor& pixels) {
  require(pixels.scalar_type() == at::kByte && pixels.dim() == 3 && pixels.size(2) == 3 && pixels.numel() > 0,
          "a picture is not uint8 [H, W, 3]");
}

void read_picture(std::string_view bytes) {
  const auto file = scratch_file("picture", bytes);
  is_picture(file);
  check_pixels(read_image(file));
  read_source({.file = file, .fit = Fit::pad}, kSmallSize);
}

/// What FFmpeg does not read of a picture, on its own.
void read_picture_parts(std::string_view bytes) {
  namespace parts = picture_file;
  parts::png_chunks(bytes);
  parts::jpeg_segments(bytes);
  parts::webp_chunks(bytes);
  const int orientation = parts::orientation(bytes);
  require(orientation >= 1 && orientation <= 8, "a picture's orientation is not 1 to 8");
  parts::is_whole_jpeg(bytes);
  parts::unreadable_tiff(bytes);
  parts::colour_codes(bytes);
  if (const auto space = parts::colour_space(bytes)) profile_of(*space);
  parts::pixel_shape(bytes);
  parts::orientation(parts::exif_in_text(bytes));
  parts::largest_icon(bytes);
  parts::avif(bytes);
  parts::brands(bytes);
  if (parts::is_png(bytes)) parts::without_optional_chunks(bytes);
  parse_comment(comment_of(bytes));
}

/// The first frames of a video, and its first and last quarter of a second as a run that continues it reads them.
void read_video(std::string_view bytes) {
  const auto file = scratch_file("video.mp4", bytes);
  read_provenance(file);
  constexpr int64_t kFrames = 12;
  {
    VideoReader video(file);
    while (video.index() < kFrames && video.advance()) check_pixels(video.pixels());
  }
  read_source({.file = file, .latents = 2}, kSmallSize);
  read_source({.file = file, .start = std::nullopt, .latents = 2}, kSmallSize);
}

void read_sound_of(std::string_view bytes) {
  const auto file = scratch_file("sound.mp4", bytes);
  read_sound({.file = file, .start = 0.05, .seconds = 0.2}, "v.mp4");
}

void read_media_comment(std::string_view bytes) {
  const auto provenance = parse_comment(std::string(bytes));
  if (provenance) require(parse_comment(to_comment(*provenance)).has_value(), "a comment cannot be read again");
}

void read_profile(std::string_view bytes) {
  check_pixels(to_srgb(at::tensor({200, 100, 50, 90, 90, 90}, at::kByte).view({1, 2, 3}), bytes, "p.png"));
}

std::string written(const std::string& name, const std::function<void(const std::filesystem::path&)>& write) {
  const auto path = scratch_name(name);
  write(path);
  return bytes_in(path);
}

Tensor small_picture() { return test::noise_frames(1, 12, 16)[0]; }

/// What an encoder makes of a small picture; empty when this FFmpeg cannot write or read that.
std::string encoded(const char* encoder, const char* decoder, AVPixelFormat format) {
  const bool known =
      avcodec_find_encoder_by_name(encoder) != nullptr && avcodec_find_decoder_by_name(decoder) != nullptr;
  if (!known) return "";
  const auto picture = ffmpeg::make_picture(format, 16, 12);
  for (int i = 0; i < picture->linesize[0] * picture->height; ++i) {
    picture->data[0][i] = static_cast<uint8_t>(255 - i % 64);
  }
  return written("sample", [&](const auto& path) { test::write_encoded(path, encoder, *picture); });
}

std::vector<std::string> pictures() {
  const std::string png = written("sample.png", [](const auto& path) {
    write_image(path, small_picture(), R"({"faststar":"1"})", Existing::replace);
  });
  const bool reads_tiff = avcodec_find_decoder_by_name("tiff") != nullptr;
  const std::string jpeg = encoded("mjpeg", "mjpeg", AV_PIX_FMT_YUVJ444P);
  std::vector<std::string> files = {
      png,
      jpeg.empty() ? "" : with_comment(jpeg, R"({"faststar":"1"})"),
      test::with_chunk(png, "eXIf", test::exif_of(6)),
      reads_tiff ? test::tiff_of(small_picture(), 3) : "",
      encoded("libwebp", "webp", AV_PIX_FMT_BGRA),
      encoded("bmp", "bmp", AV_PIX_FMT_BGR24),
      encoded("gif", "gif", AV_PIX_FMT_RGB8),
      encoded("ppm", "ppm", AV_PIX_FMT_RGB24),
      encoded("png", "png", AV_PIX_FMT_RGBA),
  };
  std::erase(files, "");
  return files;
}

std::vector<std::string> picture_parts() {
  std::vector<std::string> files = pictures();
  const std::string size = test::box("ispe", test::number(0, 4) + test::number(32, 4) + test::number(20, 4));
  files.push_back(
      test::avif_header("av01", {size, test::box("irot", test::number(1, 1)), test::box("colr", "profICC")}));
  return files;
}

std::vector<std::string> videos() {
  const Tensor frames = test::moving_frames(8, 32, 32);
  const std::vector<int64_t> times = {0, 62, 125, 187, 250, 312, 375, 437};
  std::vector<std::string> files = {
      written("sample.mkv", [&](const auto& path) { test::write_video(path, frames, {.lossless = true}, "{}"); })};
  if (avcodec_find_encoder_by_name("libx264") == nullptr) return files;
  for (const char* container : {"mp4", "mpegts", "flv", "avi"}) {
    if (av_guess_format(container, nullptr, nullptr) == nullptr || av_find_input_format(container) == nullptr) continue;
    const test::VideoRecipe recipe{.container = container, .keyframe_interval = 4, .b_frames = 1};
    files.push_back(written("sample", [&](const auto& path) { test::write_by_recipe(path, frames, times, recipe); }));
  }
  return files;
}

std::vector<std::string> sounds() {
  constexpr uint32_t kRate = 8000;
  const std::string samples(kRate / 2, 's');
  const std::string wav = written("sample.wav", [&](const auto& path) { test::write_wav(path, samples, kRate); });
  if (av_find_input_format("wav") == nullptr) return videos();
  const auto sound = read_sound({.file = scratch_file("sample.wav", wav), .start = 0, .seconds = 0.25}, "v.mkv");
  return {wav, written("sample.mkv", [&](const auto& path) {
            const auto writer = make_video_writer(path, {.width = 32, .height = 32}, {.lossless = true},
                                                  {.comment = "", .sound = sound}, Existing::replace);
            writer->write(test::moving_frames(4, 32, 32));
            writer->finish();
          })};
}

std::vector<std::string> comments() {
  return {
      to_comment({.version = "0.1.0",
                  .command = "i2v",
                  .settings_json = R"({"generate":{"duration":5,"aspect":"16:9"},"prompt":{"prompt":"a d\u00f3g"}})",
                  .run_json = R"({"seconds":{"tokens":1.5}})"})};
}

}  // namespace

std::vector<Target> media_targets() {
  return {
      {"picture", read_picture, pictures, kPictureMebibytes},
      {"picture-parts", read_picture_parts, picture_parts},
      {"video", read_video, videos, kPictureMebibytes},
      {"sound", read_sound_of, sounds},
      {"comment", read_media_comment, comments},
      {"colour-profile", read_profile, [] { return std::vector{profile_of_primaries(AVCOL_PRI_SMPTE432)}; }},
  };
}

}  // namespace faststar::fuzz
