#include "core/media/resize.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::plain;

/// [h, w, target h, target w] of each source picture in the fixtures.
nlohmann::json golden_cases() {
  return nlohmann::json::parse(test::read_text(test::golden_dir() / "tasks.json")).at("images").at("cases");
}

TEST_CASE("cropping gives the official preprocessing's pixels bit for bit", "[media]") {
  const auto cases = golden_cases();
  REQUIRE(cases.size() == 7);
  for (size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    const Tensor source = test::golden_image(fmt::format("source.{}", i));
    const Tensor fitted = fit_to(source, {cases[i][2], cases[i][3]}, Fit::crop);
    CHECK(test::same(fitted, test::golden_image(fmt::format("resized.{}", i))));
  }
}

TEST_CASE("pixels are scaled as the official preprocessing does, bit for bit", "[media]") {
  CHECK(test::same(to_pixels(test::golden_image("resized.0")), test::golden_image("pixels.0")));
}

TEST_CASE("resizing to the same size changes nothing", "[media]") {
  const Tensor image = test::noise_frames(1, 37, 53)[0];
  CHECK(test::same(resize_lanczos(image, {37, 53}), image));
}

TEST_CASE("one colour stays that colour at any size", "[media]") {
  const auto [height, width] = GENERATE(std::pair(1, 1), std::pair(7, 300), std::pair(96, 5), std::pair(48, 64));
  CHECK(test::same(resize_lanczos(plain(200, 30, 60), {height, width}), plain(200, 30, 60, height, width)));
}

TEST_CASE("cropping fills the target and says what it cut", "[media]") {
  const Fitting fitting = plan_fit({1080, 1920}, {480, 848}, Fit::crop);
  CHECK(fitting.resized.height == 480);
  CHECK(fitting.resized.width == 853);
  CHECK(fitting.text() == "1920x1080 resized to 853x480, 2 columns cut at the left and 3 at the right");
  CHECK(plan_fit({960, 1696}, {480, 848}, Fit::crop).text().empty());
}

TEST_CASE("padding keeps the whole picture between black bars", "[media]") {
  const Tensor padded = fit_to(plain(255, 255, 255, 40, 20), {40, 60}, Fit::pad);
  CHECK(padded.sizes() == at::IntArrayRef{40, 60, 3});
  CHECK(padded.narrow(1, 0, 20).max().item<int>() == 0);
  CHECK(padded.narrow(1, 20, 20).min().item<int>() == 255);
  CHECK(padded.narrow(1, 40, 20).max().item<int>() == 0);
  CHECK(plan_fit({40, 20}, {40, 60}, Fit::pad).text() ==
        "20x40 resized to 20x40, 20 columns of black at the left and 20 at the right");
  CHECK(plan_fit({10, 20}, {40, 40}, Fit::pad).text() ==
        "20x10 resized to 40x20, 10 rows of black at the top and 10 at the bottom");
}

TEST_CASE("every size up to 200 reaches its target exactly", "[media]") {
  const Fit fit = GENERATE(Fit::crop, Fit::pad);
  bool fits = true;
  for (int64_t h = 1; h <= 200; ++h) {
    for (int64_t w = 1; w <= 200; ++w) {
      const PixelSize size = plan_fit({h, w}, {48, 80}, fit).resized;
      fits &= fit == Fit::crop ? size.height >= 48 && size.width >= 80 && (size.height == 48 || size.width == 80)
                               : size.height >= 1 && size.width >= 1 && size.height <= 48 && size.width <= 80;
    }
  }
  CHECK(fits);
}

TEST_CASE("a thread of a picture is refused before memory is taken", "[media]") {
  const Error error = test::error_of([] { plan_fit({100000, 1}, {720, 1280}, Fit::crop); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == "a picture of 1x100000 is too long and narrow for 1280x720");
  CHECK(plan_fit({100000, 1}, {720, 1280}, Fit::pad).resized.width == 1);
}

TEST_CASE("pixels run from -1 to 1, channels first", "[media]") {
  const Tensor pixels = to_pixels(plain(0, 255, 51, 2, 3));
  CHECK(pixels.sizes() == at::IntArrayRef{3, 2, 3});
  CHECK(pixels[0][1][2].item<float>() == -1.0f);
  CHECK(pixels[1][0][0].item<float>() == 1.0f);
  CHECK(pixels[2][0][0].item<float>() == 51.0f / 255.0f + 51.0f / 255.0f - 1.0f);
}

}  // namespace
}  // namespace faststar
