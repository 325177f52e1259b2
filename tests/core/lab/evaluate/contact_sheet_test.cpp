#include "core/lab/evaluate/contact_sheet.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

/// A clip that goes from `first` to `last` in grey, 5 frames of 8 x 10 pixels.
Tensor fading(double first, double last) {
  return at::linspace(first, last, 5).view({1, 5, 1, 1}).expand({3, 5, 8, 10});
}

TEST_CASE("a contact sheet shows the first and the last frame of every clip, column after column", "[evaluate]") {
  const std::vector<Tensor> clips = {fading(-1, 1), fading(1, -1), fading(0, 0)};
  const Tensor sheet = contact_sheet(clips, 2, 2);
  const int64_t height = 4 + 2, width = 2 * 5 + 2;  // at half size, with a white gap
  REQUIRE(sheet.sizes() == at::IntArrayRef({2 * height, 2 * width, 3}));
  const auto level = [&](int64_t row, int64_t column, int64_t frame) {
    return static_cast<int>(sheet[row * height + 1][column * width + frame * 5 + 1][0].item<uint8_t>());
  };
  CHECK(level(0, 0, 0) == 0);
  CHECK(level(0, 0, 1) == 255);
  CHECK(level(1, 0, 0) == 255);
  CHECK(level(1, 0, 1) == 0);
  CHECK(level(0, 1, 0) == 127);
  CHECK(level(1, 1, 0) == 255);  // no fourth clip
}

}  // namespace
}  // namespace faststar
