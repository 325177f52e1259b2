#include "core/lab/heatmap/heatmap.h"

#include <ATen/ATen.h>

#include "core/lab/heatmap/sample_trace.h"
#include "core/media/sample_media.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("viridis goes from violet to yellow, ever brighter, and has a colour for every number", "[heatmap]") {
  const Tensor colours = viridis(at::tensor({0.F, 1.F, -3.F, 7.F, NAN}));
  CHECK(test::same(colours[0], at::tensor({68, 1, 84}, at::kByte)));
  CHECK(test::same(colours[1], at::tensor({253, 231, 37}, at::kByte)));
  CHECK(test::same(colours[2], colours[0]));
  CHECK(test::same(colours[3], colours[1]));
  CHECK(test::same(colours[4], colours[1]));
  const Tensor luma = at::matmul(viridis(at::linspace(0, 1, 64)).to(at::kFloat), at::tensor({0.299F, 0.587F, 0.114F}));
  CHECK(luma.diff().gt(0).all().item<bool>());
}

TEST_CASE("kept tokens show the frame, pruned ones are dark and of one tint", "[heatmap]") {
  const Tensor frame = test::plain(200, 100, 50, 8, 12);
  const Tensor panel = mask_panel(frame, at::tensor({1, 0}, at::kByte).view({1, 2}));
  CHECK(test::same(panel.narrow(1, 0, 6), frame.narrow(1, 0, 6)));
  const Tensor pruned = panel.narrow(1, 6, 6);
  CHECK(pruned.max().item<int>() < 120);
  const Tensor shade = pruned.to(at::kInt) - at::tensor({46, 34, 84}, at::kInt);  // kPruned
  CHECK(test::same(shade.select(2, 0), shade.select(2, 1)));
  CHECK(test::same(shade.select(2, 0), shade.select(2, 2)));
}

TEST_CASE("a score panel is brighter where the score is higher", "[heatmap]") {
  const Tensor panel = score_panel(test::plain(90, 90, 90, 4, 8), at::tensor({0.F, 0.2F}).view({1, 2}), 0.2);
  const Tensor brightness = panel.to(at::kFloat).mean(at::IntArrayRef{0, 2});
  CHECK(brightness[0].item<float>() + 50 < brightness[7].item<float>());
  CHECK(test::same(panel[0][0], panel[3][3]));
}

TEST_CASE("text is drawn with its dots, and cut off at the edge", "[heatmap]") {
  Canvas canvas({8, 8}, {0, 0, 0});
  canvas.write({0, 0}, "1.", {255, 255, 255}, 1);
  const Tensor dots = canvas.pixels().select(2, 0).div(255, "floor");
  CHECK(test::same(dots[0].narrow(0, 0, 5), at::tensor({0, 0, 1, 0, 0}, at::kByte)));
  CHECK(test::same(dots[6].narrow(0, 0, 5), at::tensor({0, 1, 1, 1, 0}, at::kByte)));
  CHECK(dots[6][7].item<int>() == 1);  // of the dot's two columns the one inside
}

TEST_CASE("a sheet has a row a frame and a column a reduced step, even in size", "[heatmap]") {
  const test::TempDir folder;
  test::write_sample_trace(folder / "trace.safetensors");
  const Trace trace = read_trace(folder / "trace.safetensors");
  const HeatmapPainter painter(trace, {49, 81});
  const Tensor pixels = test::plain(200, 100, 50, 49, 81);
  const HeatmapFrame first{pixels, 0, 0, {0, 0}};
  const HeatmapFrame early{pixels, 1, 0.06, {1, 0}}, late{pixels, 8, 0.5, {1, 1}};
  const Tensor one = painter.paint({early});
  CHECK(one.size(0) == painter.size().height);
  CHECK(one.size(1) == painter.size().width);
  CHECK(one.size(0) % 2 == 0);
  CHECK(one.size(1) % 2 == 0);
  CHECK(painter.paint({early, late}).size(0) > one.size(0) * 3 / 2);
  // Scale 4 keeps nothing of the first latent and the top half of the second.
  const auto natural = [](const Tensor& sheet) {
    return sheet.eq(at::tensor({200, 100, 50}, at::kByte)).all(2).sum().item<int64_t>();
  };
  CHECK(natural(painter.paint({late})) > natural(one));
  CHECK(natural(painter.paint({first})) < natural(one));  // the image clip is not reduced: the frame alone
}

}  // namespace
}  // namespace faststar
