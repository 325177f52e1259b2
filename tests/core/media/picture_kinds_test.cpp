// Pictures as people bring them: turned, with a colour profile, cut off, in formats that are something else.
#include <ATen/ATen.h>
#include <lcms2.h>
#include <sys/stat.h>

#include <filesystem>

extern "C" {
#include <libavutil/adler32.h>
}

#include "core/media/colour_profile.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/picture_bytes.h"
#include "core/media/picture_file.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "support/support.h"

namespace faststar {
namespace {

using namespace test;

/// A lossless WebP picture with another chunk beside it.
std::string webp_with_chunk(const std::string& webp, const Tensor& pixels, uint32_t flags, const std::string& type,
                            const std::string& body) {
  const auto padded = [](const std::string& text) { return text + std::string(text.size() % 2, '\0'); };
  const std::string header = "VP8X" + number(10, 4, true) + number(flags, 4, true) +
                             number(static_cast<uint32_t>(pixels.size(1) - 1), 3, true) +
                             number(static_cast<uint32_t>(pixels.size(0) - 1), 3, true);
  const std::string chunks =
      "WEBP" + header + webp.substr(12) + type + number(static_cast<uint32_t>(body.size()), 4, true) + padded(body);
  return "RIFF" + number(static_cast<uint32_t>(chunks.size()), 4, true) + chunks;
}

/// Different at every corner.
Tensor corners(int64_t height, int64_t width) {
  Tensor pixels = test::plain(30, 60, 90, height, width).clone();
  pixels.narrow(0, 0, height / 2).narrow(1, 0, width / 2).select(2, 0).fill_(240);
  pixels.narrow(0, 0, height / 2).narrow(1, width / 2, width - width / 2).select(2, 1).fill_(240);
  return pixels;
}

/// How the picture `upright` is stored under each EXIF orientation (TIFF 6.0, tag 274).
Tensor stored_turned(const Tensor& upright, int orientation) {
  Tensor stored = orientation >= 5 ? upright.transpose(0, 1) : upright;
  const auto is_any = [&](std::initializer_list<int> values) {
    return std::find(values.begin(), values.end(), orientation) != values.end();
  };
  if (is_any({2, 3, 7, 8})) stored = stored.flip(1);
  if (is_any({3, 4, 6, 7})) stored = stored.flip(0);
  return stored.contiguous();
}

TEST_CASE("PNG, TIFF and WebP are turned as they say, all eight ways", "[media]") {
  const TempDir folder;
  const int orientation = GENERATE(range(1, 9));
  const bool little = GENERATE(false, true);
  CAPTURE(orientation, little);
  const Tensor upright = corners(20, 32), stored = stored_turned(upright, orientation);
  write_image(folder / "stored.png", stored, "", Existing::refuse);
  const std::string png = test::read_text(folder / "stored.png");
  test::write_text(folder / "p.png", with_chunk(png, "eXIf", exif_of(orientation, little)));
  CHECK(test::same(read_image(folder / "p.png"), upright));
  if (test::can_decode("tiff")) {
    test::write_text(folder / "p.tiff", tiff_of(stored, orientation));
    CHECK(test::same(read_image(folder / "p.tiff"), upright));
  }
  if (test::can_encode("libwebp")) {
    auto picture =
        ffmpeg::make_picture(AV_PIX_FMT_BGRA, static_cast<int>(stored.size(1)), static_cast<int>(stored.size(0)));
    const Tensor bgra = at::cat({stored.flip(2), at::full_like(stored.narrow(2, 0, 1), 255)}, 2).contiguous();
    const int line = picture->width * 4;
    av_image_copy_plane(picture->data[0], picture->linesize[0], bgra.const_data_ptr<uint8_t>(), line, line,
                        picture->height);
    test::write_encoded(folder / "stored.webp", "libwebp", *picture);
    constexpr uint32_t kHasExif = 8;
    test::write_text(folder / "p.webp", webp_with_chunk(test::read_text(folder / "stored.webp"), stored, kHasExif,
                                                        "EXIF", exif_of(orientation, little)));
    CHECK(test::same(read_image(folder / "p.webp"), upright));
  }
}

TEST_CASE("AVIF says by irot and imir how it is turned, and whether it is made of tiles", "[media]") {
  const std::string size = box("ispe", number(0, 4) + number(32, 4) + number(20, 4));
  const auto turned = [&](int quarters, int mirror) {
    std::vector<std::string> properties = {size};
    if (quarters >= 0) properties.push_back(box("irot", number(static_cast<uint32_t>(quarters), 1)));
    if (mirror >= 0) properties.push_back(box("imir", number(static_cast<uint32_t>(mirror), 1)));
    return picture_file::orientation(avif_header("av01", properties));
  };
  CHECK(turned(-1, -1) == 1);
  CHECK(turned(1, -1) == 8);
  CHECK(turned(2, -1) == 3);
  CHECK(turned(3, -1) == 6);
  CHECK(turned(-1, 0) == 4);
  CHECK(turned(-1, 1) == 2);
  CHECK(turned(1, 0) == 5);
  CHECK(turned(1, 1) == 7);
  CHECK_FALSE(picture_file::avif(avif_header("av01", {size}))->is_tiled);
  CHECK(picture_file::avif(avif_header("grid", {size}))->is_tiled);
  CHECK(picture_file::avif(avif_header("av01", {box("colr", "profICC")}))->profile == "ICC");
}

TEST_CASE("an AVIF is a picture, and is turned", "[media]") {
  const char* const encoder = avcodec_find_encoder_by_name("libaom-av1") ? "libaom-av1" : "libsvtav1";
  if (!test::can_write("avif") || !test::can_encode(encoder)) return;
  const TempDir folder;
  auto picture = ffmpeg::make_picture(AV_PIX_FMT_YUV420P, 128, 64);
  for (int plane = 0; plane < 3; ++plane) {
    const int rows = plane == 0 ? 64 : 32, columns = plane == 0 ? 128 : 64;
    for (int y = 0; y < rows; ++y) {
      for (int x = 0; x < columns; ++x) {
        picture->data[plane][y * picture->linesize[plane] + x] = plane > 0 ? 128 : x < 64 ? 40 : 200;
      }
    }
  }
  picture->pts = 0;
  std::vector<ffmpeg::FramePtr> pictures;
  pictures.push_back(std::move(picture));
  test::write_pictures(folder / "p.avif", pictures,
                       {.container = "avif", .encoder = encoder, .time_base = {1, 1}, .set_up = [](auto& codec) {
                          codec.color_primaries = AVCOL_PRI_BT709;
                          codec.color_trc = AVCOL_TRC_BT709;
                          codec.colorspace = AVCOL_SPC_BT709;
                        }});
  CHECK(is_picture(folder / "p.avif"));
  CHECK(read_image(folder / "p.avif").sizes() == at::IntArrayRef{64, 128, 3});
  std::string bytes = test::read_text(folder / "p.avif");
  const size_t colour = bytes.find("colrnclx");  // the last property: as long as a turn and an unused box
  REQUIRE(colour != std::string::npos);
  bytes.replace(colour - 4, 19, box("irot", number(1, 1)) + box("free", "ab"));
  test::write_text(folder / "turned.avif", bytes);
  const Tensor turned = read_image(folder / "turned.avif");
  CHECK(turned.sizes() == at::IntArrayRef{128, 64, 3});
  CHECK(turned[5][32][0].item<int>() > 150);
  CHECK(turned[120][32][0].item<int>() < 100);
}

TEST_CASE("a picture's pixels are made square", "[media]") {
  const TempDir folder;
  auto picture = ffmpeg::make_picture(AV_PIX_FMT_RGB24, 720, 576);
  std::fill_n(picture->data[0], picture->linesize[0] * 576, uint8_t{90});
  picture->sample_aspect_ratio = {64, 45};
  test::write_encoded(folder / "p.png", "png", *picture);
  CHECK(read_image(folder / "p.png").sizes() == at::IntArrayRef{576, 1024, 3});
}

/// The ICC profile of AdobeRGB (1998); `about` says who made it.
std::string adobe_rgb(const std::string& about = "nobody") {
  const cmsCIExyY white = {0.3127, 0.3290, 1};
  const cmsCIExyYTRIPLE primaries = {{0.64, 0.33, 1}, {0.21, 0.71, 1}, {0.15, 0.06, 1}};
  cmsToneCurve* const curve = cmsBuildGamma(nullptr, 2.19921875);
  cmsToneCurve* const curves[3] = {curve, curve, curve};
  const cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
  cmsMLU* const copyright = cmsMLUalloc(nullptr, 1);
  cmsMLUsetASCII(copyright, "en", "US", about.c_str());
  cmsWriteTag(profile, cmsSigCopyrightTag, copyright);
  cmsMLUfree(copyright);
  cmsUInt32Number size = 0;
  cmsSaveProfileToMem(profile, nullptr, &size);
  std::string bytes(size, '\0');
  cmsSaveProfileToMem(profile, bytes.data(), &size);
  cmsCloseProfile(profile);
  cmsFreeToneCurve(curve);
  return bytes;
}

TEST_CASE("a picture with a colour profile is converted to sRGB", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  write_image(folder / "stored.jpg", test::plain(180, 100, 60), "", Existing::refuse);
  const std::string body = std::string("ICC_PROFILE\0\1\1", 14) + adobe_rgb();
  std::string bytes = test::read_text(folder / "stored.jpg");
  bytes.insert(2, "\xff\xe2" + number(static_cast<uint32_t>(body.size() + 2), 2) + body);
  test::write_text(folder / "p.jpg", bytes);
  CHECK(test::largest_difference(read_image(folder / "p.jpg"), test::plain(203, 100, 55)) <= 4);
}

TEST_CASE("a profile of grey changes no colours", "[media]") {
  cmsToneCurve* const linear = cmsBuildGamma(nullptr, 1);
  const cmsHPROFILE profile = cmsCreateGrayProfile(cmsD50_xyY(), linear);
  cmsUInt32Number size = 0;
  cmsSaveProfileToMem(profile, nullptr, &size);
  std::string bytes(size, '\0');
  cmsSaveProfileToMem(profile, bytes.data(), &size);
  cmsCloseProfile(profile);
  cmsFreeToneCurve(linear);
  CHECK(test::same(to_srgb(test::plain(200, 100, 60), bytes, "p.png"), test::plain(200, 100, 60)));
  CHECK(test::largest_difference(to_srgb(test::plain(55, 55, 55), bytes, "p.png"), test::plain(128, 128, 128)) <= 1);
}

TEST_CASE("Display P3 said by a code is as its profile", "[media]") {
  CHECK(profile_of_primaries(AVCOL_PRI_BT709).empty());
  const Tensor red = to_srgb(test::plain(200, 100, 60), profile_of_primaries(AVCOL_PRI_SMPTE432), "p.avif");
  CHECK(test::largest_difference(red, test::plain(215, 93, 47)) <= 3);
  CHECK(test::largest_difference(to_srgb(test::plain(90, 90, 90), profile_of_primaries(AVCOL_PRI_SMPTE432), "p.avif"),
                                 test::plain(90, 90, 90)) <= 1);
}

TEST_CASE("a PNG with a damaged colour profile is read without it, half a PNG is not", "[media]") {
  const TempDir folder;
  const Tensor pixels = test::noise_frames(1, 30, 20)[0];
  write_image(folder / "stored.png", pixels, "", Existing::refuse);
  const std::string png = test::read_text(folder / "stored.png");
  const std::string damaged = GENERATE(std::string("icc\0\0not compressed data", 25), std::string("icc"));
  test::write_text(folder / "p.png", with_chunk(png, "iCCP", damaged));
  CHECK(test::same(read_image(folder / "p.png"), pixels));
  std::string wrong_sum = with_chunk(png, "iCCP", damaged);
  wrong_sum[33 + 8 + damaged.size()] ^= 1;
  test::write_text(folder / "sum.png", wrong_sum);
  CHECK(test::same(read_image(folder / "sum.png"), pixels));
  test::write_text(folder / "cut.png", wrong_sum.substr(0, wrong_sum.size() - 200));
  CHECK(error_of([&] { read_image(folder / "cut.png"); }).kind() == ErrorKind::input);
}

/// `text` as zlib has it, without compression.
std::string zlib_stored(const std::string& text) {
  constexpr size_t kBlock = 65535;
  std::string packed = "\x78\x01";
  for (size_t at = 0; at < text.size(); at += kBlock) {
    const auto size = static_cast<uint32_t>(std::min(kBlock, text.size() - at));
    packed +=
        number(at + size == text.size(), 1) + number(size, 2, true) + number(~size, 2, true) + text.substr(at, size);
  }
  return packed + number(static_cast<uint32_t>(av_adler32_update(1, reinterpret_cast<const uint8_t*>(text.data()),
                                                                 static_cast<unsigned>(text.size()))),
                         4);
}

TEST_CASE("a PNG with a colour profile beyond all measure, which might unpack to gigabytes, is read without it",
          "[media]") {
  const TempDir folder;
  const Tensor pixels = plain(180, 100, 60);
  write_image(folder / "stored.png", pixels, "", Existing::refuse);
  const std::string png = test::read_text(folder / "stored.png");
  const auto red_with = [&](size_t about) {
    const std::string profile = std::string("icc\0\0", 5) + zlib_stored(adobe_rgb(std::string(about, 'a')));
    test::write_text(folder / "p.png", with_chunk(png, "iCCP", profile));
    return read_image(folder / "p.png")[0][0][0].item<int>();
  };
  CHECK(red_with(10) > 195);
  CHECK(red_with(100'000) > 195);  // two bytes a character
  CHECK(red_with(150'000) == 180);
}

TEST_CASE("a TIFF with JPEG inside is refused, not read as black", "[media]") {
  if (!test::can_decode("tiff")) return;
  const TempDir folder;
  test::write_text(folder / "p.tif", tiff_of(corners(16, 16), 1, GENERATE(6U, 7U)));
  const Error error = error_of([&] { read_image(folder / "p.tif"); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(test::says(error, "a TIFF with JPEG inside"));
}

TEST_CASE("a JPEG without its end is whole only where no scan can be missing", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  write_image(folder / "p.jpg", corners(32, 48), "", Existing::refuse);
  const std::string whole = test::read_text(folder / "p.jpg"), cut = whole.substr(0, whole.size() - 2);
  CHECK(picture_file::is_whole_jpeg(whole));
  test::write_text(folder / "cut.jpg", cut);
  CHECK(test::largest_difference(read_image(folder / "cut.jpg"), read_image(folder / "p.jpg")) == 0);
  std::string progressive = cut;
  progressive[cut.find("\xff\xc0") + 1] = '\xc2';
  CHECK_FALSE(picture_file::is_whole_jpeg(progressive));
  CHECK(picture_file::is_whole_jpeg(progressive + "\xff\xd9"));
  test::write_text(folder / "progressive.jpg", progressive);
  CHECK(test::says(error_of([&] { read_image(folder / "progressive.jpg"); }), "cut off: the JPEG has no end"));
  std::string one_component = cut;  // a scan of one of three
  one_component.replace(cut.find("\xff\xda"), 14, std::string("\xff\xda\0\x08\1\1\0\0\x3f\0", 10));
  CHECK_FALSE(picture_file::is_whole_jpeg(one_component));
}

TEST_CASE("half a picture is called damaged or cut off", "[media]") {
  if (!test::can_encode("mjpeg")) return;
  const TempDir folder;
  write_image(folder / "p.jpg", test::noise_frames(1, 64, 64)[0], "", Existing::refuse);
  const std::string bytes = test::read_text(folder / "p.jpg");
  test::write_text(folder / "p.jpg", bytes.substr(0, bytes.size() / 2));
  CHECK(test::says(error_of([&] { read_image(folder / "p.jpg"); }), "damaged or cut off"));
}

TEST_CASE("a TGA is known by its name and header", "[media]") {
  if (!test::can_decode("targa")) return;
  const TempDir folder;
  const std::string header = std::string("\0\0\2\0\0\0\0\0\0\0\0\0", 12) + number(2, 2, true) + number(1, 2, true) +
                             std::string("\x18\x20", 2);
  test::write_text(folder / "p.TGA", header + std::string("\x01\x02\x03\xff\x80\x40", 6));
  CHECK(is_picture(folder / "p.TGA"));
  CHECK(test::same(read_image(folder / "p.TGA"), at::tensor({3, 2, 1, 64, 128, 255}, at::kByte).view({1, 2, 3})));
  write_image(folder / "p.png", corners(8, 8), "", Existing::refuse);
  std::filesystem::rename(folder / "p.png", folder / "png.tga");
  CHECK(test::same(read_image(folder / "png.tga"), corners(8, 8)));
}

TEST_CASE("a PAM and an SVG are known by their names, and a JPEG-LS by its own end", "[media]") {
  const TempDir folder;
  if (test::can_decode("pam")) {
    test::write_text(
        folder / "p.pam",
        std::string("P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n") + "\x03\x02\x01\x40\x7f\x7f");
    CHECK(is_picture(folder / "p.pam"));
    CHECK(test::same(read_image(folder / "p.pam"), at::tensor({3, 2, 1, 64, 127, 127}, at::kByte).view({1, 2, 3})));
  }
  if (test::can_decode("librsvg")) {
    test::write_text(folder / "p.svg",
                     "<!-- drawn -->\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"32\" height=\"16\">"
                     "<rect width=\"16\" height=\"16\" fill=\"red\"/></svg>");
    const Tensor drawn = read_image(folder / "p.svg");
    REQUIRE(drawn.sizes() == at::IntArrayRef{16, 32, 3});
    CHECK(test::same(drawn[8][8], at::tensor({255, 0, 0}, at::kByte)));
    CHECK(test::same(drawn[8][24], at::tensor({255, 255, 255}, at::kByte)));  // nothing there: white shows
  }
  if (test::can_encode("jpegls")) {
    write_image(folder / "p.png", test::noise_frames(1, 32, 32)[0], "", Existing::refuse);
    auto picture = ffmpeg::make_picture(AV_PIX_FMT_GRAY8, 32, 32);
    for (int i = 0; i < 32 * picture->linesize[0]; ++i) picture->data[0][i] = static_cast<uint8_t>(i * i % 251);
    test::write_encoded(folder / "p.jls", "jpegls", *picture);
    CHECK(picture_file::is_whole_jpeg(test::read_text(folder / "p.jls")));
  }
}

TEST_CASE("the fourth channel of a TIFF is what its tag says", "[media]") {
  if (!test::can_decode("tiff")) return;
  const TempDir folder;
  const Tensor stored = at::tensor({100, 50, 0, 128}, at::kByte).expand({4, 4, 4}).contiguous();
  const auto shown = [&](uint32_t kind) {
    test::write_text(folder / "p.tif", tiff_of(stored, 1, 1, kind));
    return read_image(folder / "p.tif");
  };
  CHECK(test::same(shown(0), test::plain(100, 50, 0, 4, 4)));     // not said: the picture is opaque
  CHECK(test::same(shown(1), test::plain(227, 177, 127, 4, 4)));  // the colours are multiplied by it
  CHECK(test::same(shown(2), test::plain(177, 152, 127, 4, 4)));
}

TEST_CASE("an icon and a GIF of one frame are pictures", "[media]") {
  const TempDir folder;
  write_image(folder / "small.png", corners(16, 16), "", Existing::refuse);
  write_image(folder / "large.png", corners(64, 64), "", Existing::refuse);
  const std::string small = test::read_text(folder / "small.png"), large = test::read_text(folder / "large.png");
  const auto entry = [](int size, const std::string& png, size_t offset) {
    return number(static_cast<uint32_t>(size), 1) + number(static_cast<uint32_t>(size), 1) + std::string(2, '\0') +
           number(1, 2, true) + number(32, 2, true) + number(static_cast<uint32_t>(png.size()), 4, true) +
           number(static_cast<uint32_t>(offset), 4, true);
  };
  if (test::can_read("ico")) {
    test::write_text(folder / "p.ico", std::string("\0\0\1\0\2\0", 6) + entry(16, small, 38) +
                                           entry(64, large, 38 + small.size()) + small + large);
    CHECK(is_picture(folder / "p.ico"));
    CHECK(test::same(read_image(folder / "p.ico"), corners(64, 64)));
  }
  if (!test::can_write("gif") || !test::can_encode("gif")) return;
  for (const int count : {1, 3}) {
    std::vector<ffmpeg::FramePtr> pictures;
    for (int i = 0; i < count; ++i) {
      pictures.push_back(ffmpeg::make_picture(AV_PIX_FMT_RGB8, 16, 16));
      std::fill_n(pictures.back()->data[0], pictures.back()->linesize[0] * 16, static_cast<uint8_t>(40 * i));
      pictures.back()->pts = i * 10;
    }
    test::write_pictures(folder / "p.gif", pictures, {.container = "gif", .encoder = "gif", .time_base = {1, 100}});
    CHECK(is_picture(folder / "p.gif") == (count == 1));
  }
}

TEST_CASE("what is no picture or video is named, with what to do", "[media]") {
  struct Case {
    std::string bytes, says, hint;
  };
  const std::string animated = std::string("RIFF\x30\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0", 24);
  const auto c = GENERATE_COPY(from_range(std::vector<Case>{
      {box("ftyp", "heic" + number(0, 4) + "mif1heic") + box("meta", number(0, 4)), "a HEIC photograph", "JPEG"},
      {box("ftyp", "mif1" + number(0, 4) + "mif1miafheix"), "a HEIC photograph", "JPEG"},
      {"%PDF-1.7\n%more", "a PDF", "PNG"},
      {"", "an empty file", "itself"},
      {"{\"error\": \"not found\"}\n", "a text file", "itself"},
      {"A list of files:\n\tcaf\xc3\xa9.mp4\n", "a text file", "itself"},
      {std::string("\x1f\x8b\x08\0\0\0\0\0", 8), "a gzip archive", "unpack"},
      {std::string("FUJIFILMCCD-RAW 0201\0", 21), "a raw photograph (RAF)", "PNG"},
      {std::string("II+\0\x08\0\0\0", 8), "a BigTIFF", "PNG"},
      {animated + std::string(40, '\0'), "an animated WebP", "PNG"},
      {"#EXTM3U\n#EXTINF:5,\nhttp://example.org/a.ts\n", "a playlist", "itself"},
      {"\xef\xbb\xbf[playlist]\nFile1=a.mp4\n", "a playlist", "itself"},
      {"<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg\">", "a playlist", "itself"},
      {"ffconcat version 1.0\nfile a.mp4\n", "a playlist", "itself"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer", "git lfs pull"},
      {"\n<!DOCTYPE HTML>\n<html>", "a web page", "itself"},
  }));
  const TempDir folder;
  test::write_text(folder / "p", c.bytes);
  for (const auto& read :
       std::vector<std::function<void()>>{[&] { read_image(folder / "p"); }, [&] { is_picture(folder / "p"); },
                                          [&] { VideoReader(folder / "p"); }, [&] { read_comment(folder / "p"); }}) {
    const Error error = error_of(read);
    CHECK(error.kind() == ErrorKind::input);
    CHECK(test::says(error, (folder / "p").string() + ": cannot read: this is " + c.says));
    CHECK(error.hint().find(c.hint) != std::string::npos);
  }
}

TEST_CASE("a pipe is refused at once", "[media]") {
  const TempDir folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const auto& read :
       std::vector<std::function<void()>>{[&] { read_image(folder / "pipe"); }, [&] { VideoReader(folder / "pipe"); },
                                          [&] { read_comment(folder / "pipe"); }}) {
    CHECK(test::says(error_of(read), "expected a file, got a pipe"));
  }
}

}  // namespace
}  // namespace faststar
