// What pictures say of their colours, shape and kind beside the pixels.
#include "core/media/picture_colour.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/media/filter.h"
#include "core/media/image.h"
#include "core/media/picture_bytes.h"
#include "core/media/picture_file.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

using namespace test;

/// A PNG of one colour with these chunks, read.
Tensor read_with_chunks(const Tensor& stored, const std::vector<std::pair<std::string, std::string>>& chunks) {
  const TempDir folder;
  write_image(folder / "p.png", stored, "", Existing::refuse);
  std::string png = read_text(folder / "p.png");
  for (const auto& [type, body] : chunks) png = with_chunk(png, type, body);
  write_text(folder / "p.png", png);
  return read_image(folder / "p.png");
}

std::string chromaticities(const std::vector<uint32_t>& points) {
  std::string body;
  for (const uint32_t point : points) body += number(point, 4);
  return body;
}

TEST_CASE("a PNG's codes, gamma and chromaticities say what its colours are", "[media]") {
  const Tensor stored = plain(200, 100, 60);
  const std::string usual = number(45455, 4),
                    adobe = chromaticities({31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000});
  const std::string p3("\x0c\x0d\0\1", 4), srgb("\1\x0d\0\1", 4);
  CHECK(largest_difference(read_with_chunks(stored, {{"cICP", p3}}), plain(215, 93, 47)) <= 3);
  CHECK(same(read_with_chunks(stored, {{"cICP", srgb}}), stored));
  CHECK(same(read_with_chunks(stored, {{"gAMA", usual}}), stored));
  CHECK(largest_difference(read_with_chunks(stored, {{"gAMA", number(100000, 4)}}), plain(229, 168, 133)) <= 2);
  CHECK(largest_difference(read_with_chunks(stored, {{"gAMA", usual}, {"cHRM", adobe}}), plain(226, 100, 55)) <= 6);
  const std::string no_space(32, '\0');
  CHECK(same(read_with_chunks(stored, {{"cHRM", no_space}}), stored));
  CHECK(same(read_with_chunks(stored, {{"sRGB", std::string(1, '\0')}, {"gAMA", number(100000, 4)}}), stored));
}

TEST_CASE("a PNG in HDR is mapped to the range of a screen", "[media]") {
  if (!ffmpeg::FilterLibrary::system().has("zscale")) return;
  const Tensor stored = plain(148, 148, 148);  // 203 cd/m2 in PQ, BT.2408's white
  const Tensor shown = read_with_chunks(stored, {{"cICP", std::string("\x09\x10\0\1", 4)}});
  CHECK(shown[0][0][0].item<int>() > 190);
}

/// EXIF data as a camera writes it that is set to AdobeRGB.
std::string adobe_exif(const std::string& index) {
  const auto entry = [](uint32_t tag, uint32_t type, uint32_t count, const std::string& value) {
    return number(tag, 2) + number(type, 2) + number(count, 4) + value;
  };
  const std::string end(4, '\0');
  return std::string("MM\0*", 4) + number(8, 4) + number(1, 2) + entry(0x8769, 4, 1, number(26, 4)) + end +
         number(2, 2) + entry(0xa001, 3, 1, number(0xffff, 2) + std::string(2, '\0')) +
         entry(0xa005, 4, 1, number(56, 4)) + end + number(1, 2) + entry(1, 2, 4, index + '\0') + end;
}

TEST_CASE("a photograph says by its EXIF data that it is in AdobeRGB", "[media]") {
  if (!can_encode("mjpeg")) return;
  const TempDir folder;
  write_image(folder / "p.jpg", plain(180, 100, 60), "", Existing::refuse);
  const std::string stored = read_text(folder / "p.jpg");
  for (const std::string index : {"R03", "R98"}) {
    const std::string body = std::string("Exif\0\0", 6) + adobe_exif(index);
    std::string jpeg = stored;
    jpeg.insert(2, "\xff\xe1" + number(static_cast<uint32_t>(body.size() + 2), 2) + body);
    write_text(folder / "p.jpg", jpeg);
    const Tensor expected = index == "R03" ? plain(203, 100, 55) : plain(180, 100, 60);
    CHECK(largest_difference(read_image(folder / "p.jpg"), expected) <= 4);
  }
}

TEST_CASE("pixels of more to the inch across than down are narrow", "[media]") {
  const Tensor stored = plain(90, 90, 90, 40, 60);
  const std::string metres = number(4000, 4) + number(2000, 4) + std::string(1, '\1');
  CHECK(read_with_chunks(stored, {{"pHYs", metres}}).sizes() == at::IntArrayRef{40, 30, 3});
  CHECK(read_with_chunks(stored, {{"pHYs", number(4000, 4) + number(4000, 4) + std::string(1, '\1')}}).size(1) == 60);
  if (!can_encode("mjpeg")) return;
  const TempDir folder;
  write_image(folder / "p.jpg", stored, "", Existing::refuse);
  std::string jpeg = read_text(folder / "p.jpg");
  // 200 and 100 dots per inch.
  jpeg.insert(2, std::string("\xff\xe0\0\x10JFIF\0\1\1\1\0\xc8\0\x64\0\0", 18));
  write_text(folder / "p.jpg", jpeg);
  CHECK(read_image(folder / "p.jpg").sizes() == at::IntArrayRef{40, 30, 3});
}

TEST_CASE("a PNG is turned as the text that ImageMagick writes says", "[media]") {
  const std::string exif = std::string("Exif\0\0", 6) + exif_of(6);
  std::string digits;
  for (const unsigned char byte : exif) digits += fmt::format("{:02x}{}", byte, digits.size() % 73 == 70 ? "\n" : "");
  const std::string text =
      std::string("Raw profile type exif") + '\0' + fmt::format("\nexif\n{:8}\n{}\n", exif.size(), digits);
  CHECK(read_with_chunks(plain(1, 2, 3, 20, 30), {{"tEXt", text}}).sizes() == at::IntArrayRef{30, 20, 3});
  CHECK(picture_file::exif_in_text("").empty());
  CHECK(picture_file::exif_in_text("\nexif\n 3\nzz").empty());
}

TEST_CASE("what FFmpeg would scramble, or decode in part, is refused by its kind", "[media]") {
  const std::string part = box("ispe", number(0, 4) + number(32, 4) + number(20, 4));
  const std::string alpha = box("auxC", number(0, 4) + "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" + '\0');
  CHECK_FALSE(picture_file::avif(avif_header("av01", {part}))->is_transparent);
  CHECK(picture_file::avif(avif_header("av01", {part, alpha}))->is_transparent);
  const auto entry = [](uint32_t tag, uint32_t value) {
    return number(tag, 2, true) + number(4, 2, true) + number(1, 4, true) + number(value, 4, true);
  };
  const auto kind_of = [](const std::string& entry) {
    const std::string file =
        std::string("II*\0", 4) + number(8, 4, true) + number(1, 2, true) + entry + std::string(4, '\0');
    const char* const kind = picture_file::unreadable_tiff(file);
    return std::string(kind != nullptr ? kind : "");
  };
  CHECK(kind_of(entry(322, 64)) == "a TIFF made of tiles");
  CHECK(kind_of(entry(259, 7)) == "a TIFF with JPEG inside");
  CHECK(kind_of(entry(254, 1)) == "a raw photograph, or a TIFF that begins with a preview");
  CHECK(kind_of(entry(254, 0)).empty());
}

TEST_CASE("a picture of a kind that FFmpeg cannot decode is not called damaged", "[media]") {
  if (!can_decode("tiff")) return;
  const TempDir folder;
  write_text(folder / "p.tif", tiff_of(plain(1, 2, 3), 1, 50000));  // Zstandard
  const Error error = error_of([&] { read_image(folder / "p.tif"); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(says(error, "FFmpeg cannot decode this kind"));
}

}  // namespace
}  // namespace faststar
