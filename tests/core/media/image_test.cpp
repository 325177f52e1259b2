#include "core/media/image.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "core/media/colour.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

// Smooth, so that JPEG changes it little, and different at every corner: red grows to the right, green downwards.
Tensor gradient(int64_t height, int64_t width) {
  const Tensor red = at::linspace(20, 220, width).view({1, width, 1}).expand({height, width, 1});
  const Tensor green = at::linspace(40, 200, height).view({height, 1, 1}).expand({height, width, 1});
  return at::cat({red, green, at::full_like(red, 90)}, 2).to(at::kByte).contiguous();
}

/// A picture with every byte of plane 0 taken from `bytes`, line by line.
ffmpeg::FramePtr stored_picture(AVPixelFormat format, int width, int height, const std::vector<uint8_t>& bytes) {
  auto picture = ffmpeg::make_picture(format, width, height);
  const int line = static_cast<int>(bytes.size()) / height;
  av_image_copy_plane(picture->data[0], picture->linesize[0], bytes.data(), line, line, height);
  return picture;
}

TEST_CASE("a PNG gives exactly its pixels back", "[media]") {
  const TempDir folder;
  const auto [height, width] = GENERATE(std::pair(37, 53), std::pair(1, 1), std::pair(2, 301));
  const Tensor pixels = test::noise_frames(1, height, width)[0];
  write_image(folder / "p.png", pixels, "", Existing::refuse);
  CHECK(test::same(read_image(folder / "p.png"), pixels));
}

TEST_CASE("a JPEG stays close, also with odd sides", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  const std::string name = GENERATE("p.jpg", "p.jpeg", "p.JPG");
  write_image(folder / name, gradient(61, 45), "", Existing::refuse);
  CHECK(test::largest_difference(read_image(folder / name), gradient(61, 45)) <= 4);
}

TEST_CASE("a lossless WebP gives its pixels back", "[media]") {
  if (!test::can_encode("libwebp")) return;
  const TempDir folder;
  const auto picture = stored_picture(AV_PIX_FMT_BGRA, 2, 1, {60, 30, 200, 255, 1, 2, 3, 255});
  test::write_encoded(folder / "p.webp", "libwebp", *picture);
  CHECK(test::same(read_image(folder / "p.webp"), at::tensor({200, 30, 60, 3, 2, 1}, at::kByte).view({1, 2, 3})));
}

TEST_CASE("every kind of PNG becomes 8-bit RGB", "[media]") {
  struct Case {
    AVPixelFormat format;
    std::vector<uint8_t> stored;  // two pixels
    std::vector<int> expected;
  };
  const auto c = GENERATE(from_range(std::vector<Case>{
      {AV_PIX_FMT_GRAY8, {0, 255}, {0, 0, 0, 255, 255, 255}},
      {AV_PIX_FMT_GRAY8, {128, 16}, {128, 128, 128, 16, 16, 16}},
      {AV_PIX_FMT_GRAY16BE, {0x80, 0x80, 0xff, 0xff}, {128, 128, 128, 255, 255, 255}},
      {AV_PIX_FMT_RGB48BE, {200, 200, 30, 30, 60, 60, 0, 0, 0, 0, 255, 255}, {200, 30, 60, 0, 0, 255}},
      // Transparent shows the white below, half transparent half of it.
      {AV_PIX_FMT_RGBA, {200, 30, 60, 255, 9, 9, 9, 0}, {200, 30, 60, 255, 255, 255}},
      {AV_PIX_FMT_RGBA, {0, 0, 0, 128, 255, 0, 51, 51}, {127, 127, 127, 255, 204, 214}},
      {AV_PIX_FMT_YA8, {100, 255, 100, 0}, {100, 100, 100, 255, 255, 255}},
  }));
  const TempDir folder;
  test::write_encoded(folder / "p.png", "png", *stored_picture(c.format, 2, 1, c.stored));
  CAPTURE(av_get_pix_fmt_name(c.format));
  CHECK(test::largest_difference(read_image(folder / "p.png"), at::tensor(c.expected, at::kByte).view({1, 2, 3})) <= 1);
}

/// `jpeg` with an EXIF segment that holds nothing but the orientation.
std::string with_orientation(const std::string& jpeg, char orientation) {
  std::string tiff("MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19);
  tiff += orientation;
  tiff.append(6, '\0');
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  std::string segment("\xff\xe1\0", 3);
  segment += static_cast<char>(body.size() + 2);
  return jpeg.substr(0, 2) + segment + body + jpeg.substr(2);
}

/// How the picture `upright` is stored under each EXIF orientation (TIFF 6.0, tag 274).
Tensor stored_as(const Tensor& upright, int orientation) {
  switch (orientation) {
    case 2: return upright.flip(1);
    case 3: return upright.flip(0).flip(1);
    case 4: return upright.flip(0);
    case 5: return upright.transpose(0, 1);
    case 6: return upright.transpose(0, 1).flip(0);
    case 7: return upright.transpose(0, 1).flip(0).flip(1);
    case 8: return upright.transpose(0, 1).flip(1);
    default: return upright;
  }
}

TEST_CASE("a JPEG is turned as its EXIF orientation says", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  const int orientation = GENERATE(range(1, 9));
  CAPTURE(orientation);
  const Tensor upright = gradient(48, 32);
  write_image(folder / "stored.jpg", stored_as(upright, orientation).contiguous(), "", Existing::refuse);
  const std::string stored = test::read_text(folder / "stored.jpg");
  test::write_text(folder / "p.jpg", with_orientation(stored, static_cast<char>(orientation)));
  CHECK(test::largest_difference(read_image(folder / "p.jpg"), upright) <= 6);
}

TEST_CASE("a comment of any length and language survives in PNG and JPEG", "[media]") {
  const TempDir folder;
  const std::string name = GENERATE("p.png", "p.jpg");
  if (name == "p.jpg" && !test::can_encode("mjpeg")) return;
  const std::string comment =
      GENERATE(std::string("{\"prompt\":\"a \\\"fox\\\"\\n façades 狐\"}"), std::string(200000, 'y'), std::string());
  write_image(folder / name, gradient(20, 30), comment, Existing::refuse);
  CHECK(read_comment(folder / name) == comment);
  CHECK(test::largest_difference(read_image(folder / name), gradient(20, 30)) <= 6);
}

TEST_CASE("comments are not looked for behind damage", "[media]") {
  const std::string png("\x89PNG\r\n\x1a\n\xff\xff\xff\xf0iTXtcomment\0\0\0\0\0hello", 33);
  CHECK(comment_of(png).empty());
  CHECK(comment_of(std::string("\xff\xd8\xff\xfe\xff\xffhello")).empty());
  CHECK(comment_of(std::string("\xff\xd8\xff\xfe\0\0hello", 11)).empty());
  CHECK(comment_of("\xff\xd8").empty());
  CHECK(comment_of("").empty());
}

TEST_CASE("files that are no picture are input errors that name the file", "[media]") {
  const TempDir folder;
  test::write_text(folder / "empty.png", "");
  test::write_text(folder / "text.png", "not a picture at all, but long enough to look at");
  test::write_text(folder / "signature.png", "\x89PNG\r\n\x1a\n");
  const std::string name =
      GENERATE(as<std::string>{}, "absent.png", "empty.png", "text.png", "signature.png", ".", std::string(5000, 'n'));
  const Error error = error_of([&] { read_image(folder / name); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK_THAT(error.what(), Catch::Matchers::StartsWith((folder / name).string() + ": "));
}

TEST_CASE("a picture cut off is an input error", "[media]") {
  const TempDir folder;
  const std::string name = GENERATE("p.png", "p.jpg");
  if (name == "p.jpg" && !test::can_encode("mjpeg")) return;
  const double share = GENERATE(0.05, 0.5, 0.9);
  CAPTURE(name, share);
  write_image(folder / name, test::noise_frames(1, 64, 64)[0], "", Existing::refuse);
  const std::string bytes = test::read_text(folder / name);
  test::write_text(folder / name, bytes.substr(0, static_cast<size_t>(share * static_cast<double>(bytes.size()))));
  CHECK(error_of([&] { read_image(folder / name); }).kind() == ErrorKind::input);
}

TEST_CASE("a picture that claims an absurd size is refused, not allocated", "[media]") {
  const TempDir folder;
  write_image(folder / "p.png", gradient(8, 8), "", Existing::refuse);
  std::string bytes = test::read_text(folder / "p.png");
  bytes.replace(16, 8, std::string("\0\0\xff\0\0\0\xff\0", 8));  // 65280 x 65280, its check sum left as it was
  test::write_text(folder / "p.png", bytes);
  CHECK(error_of([&] { read_image(folder / "p.png"); }).kind() == ErrorKind::input);
}

TEST_CASE("pictures are written by name, and never over others unasked", "[media]") {
  const TempDir folder;
  const Tensor pixels = gradient(8, 8);
  CHECK(error_of([&] { write_image(folder / "p.gif", pixels, "", Existing::refuse); }).kind() == ErrorKind::usage);
  CHECK(error_of([&] { check_image_output("p"); }).kind() == ErrorKind::usage);
  write_image(folder / "p.png", pixels, "", Existing::refuse);
  CHECK(error_of([&] { write_image(folder / "p.png", pixels, "", Existing::refuse); }).kind() == ErrorKind::output);
  write_image(folder / "p.png", gradient(9, 9), "", Existing::replace);
  CHECK(read_image(folder / "p.png").size(0) == 9);
  CHECK(error_of([&] { write_image(folder / "no" / "p.png", pixels, "", Existing::refuse); }).kind() ==
        ErrorKind::output);
  CHECK(test::names_in(folder.path()) == std::vector<std::string>{"p.png"});
}

TEST_CASE("a picture inside a page is a small JPEG in base64, and nothing else passes for one", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const std::string uri = image_data_uri(gradient(40, 60));
  CHECK(is_image_data_uri(uri));
  constexpr size_t kPrefix = sizeof "data:image/jpeg;base64," - 1;
  CHECK(uri.size() % 4 == kPrefix % 4);    // padded
  CHECK(uri.substr(kPrefix, 3) == "/9j");  // ff d8 ff: how JPEG begins
  CHECK_FALSE(is_image_data_uri(uri + "\" onload=\"x"));
  CHECK_FALSE(is_image_data_uri("data:text/html;base64,PGI+"));
  CHECK_FALSE(is_image_data_uri("https://example.org/p.jpg"));
}

}  // namespace
}  // namespace faststar
