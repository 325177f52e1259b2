#include "core/lab/metrics/lpips.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/base/weights/safetensors.h"
#include "core/base/weights/weights.h"
#include "core/lab/metrics/sample_frames.h"
#include "support/support.h"

namespace faststar {
namespace {

// Weights by formula stand in for trained ones: tensor number `seed` has sin(0.7 i + seed) sqrt(3 / fan_in) at its
// flat place i, in float64 and then rounded; a bias takes every hundredth of such values with a fan-in of 100, a
// head their magnitudes. The expected distances come from the PyPI package lpips 0.1.4 (torch 2.11), in which
// all parameters of LPIPS(net, pnet_rand=True, pretrained=False) were overwritten so: those of `net` in order of
// named_parameters() with seeds 0, 1, 2, ..., the heads with seeds 50 to 54. Its input: frames / 127.5 - 1.
Tensor formula(at::IntArrayRef shape, int64_t seed) {
  const int64_t count = c10::multiply_integers(shape);
  const double scale = std::sqrt(3.0 * static_cast<double>(shape[0]) / static_cast<double>(count));
  const Tensor angle = at::arange(count, at::kDouble) * 0.7 + static_cast<double>(seed);
  return (angle.sin() * scale).to(at::kFloat).view(shape);
}

struct Backbone {
  const char* name;
  std::vector<int> places;  // of the convolutions in torchvision's `features`
  std::vector<int64_t> channels;
  std::vector<int64_t> kernels;
  std::vector<int64_t> head_channels;
  double near, far;  // distances of frame 0 to frames 1 and 9
};

const Backbone kAlexNet = {"AlexNet",        {0, 3, 6, 8, 10},         {64, 192, 384, 256, 256},
                           {11, 5, 3, 3, 3}, {64, 192, 384, 256, 256}, 0.12011112,
                           0.33596039};
const Backbone kVgg16 = {"VGG16",
                         {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28},
                         {64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512},
                         std::vector<int64_t>(13, 3),
                         {64, 128, 256, 512, 512},
                         0.11977894,
                         0.29096246};

std::map<std::string, Tensor> backbone_tensors(const Backbone& backbone) {
  std::map<std::string, Tensor> tensors;
  int64_t channels_in = 3, seed = 0;
  for (size_t i = 0; i < backbone.places.size(); ++i) {
    const int64_t channels = backbone.channels[i], kernel = backbone.kernels[i];
    const std::string prefix = fmt::format("features.{}.", backbone.places[i]);
    tensors[prefix + "weight"] = formula({channels, channels_in, kernel, kernel}, seed++);
    tensors[prefix + "bias"] = formula({channels, 100}, seed++).select(1, 0);
    channels_in = channels;
  }
  tensors["classifier.1.bias"] = at::zeros({4});  // not looked at
  return tensors;
}

std::map<std::string, Tensor> head_tensors(const Backbone& backbone) {
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < backbone.head_channels.size(); ++i) {
    const auto seed = static_cast<int64_t>(50 + i);
    tensors[fmt::format("lin{}.model.1.weight", i)] = formula({1, backbone.head_channels[i], 1, 1}, seed).abs();
  }
  return tensors;
}

Weights stored(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors, at::Device device) {
  write_safetensors(path, tensors, {}, Existing::replace);
  return {open_checkpoint(path), device, at::kFloat};
}

TEST_CASE("LPIPS is that of the package lpips, with either backbone", "[metrics]") {
  const Backbone& backbone = *GENERATE(&kAlexNet, &kVgg16);
  const auto device = GENERATE(from_range(test::test_devices()));
  INFO(backbone.name);
  const test::TempDir folder;
  const Lpips lpips(stored(folder / "backbone.safetensors", backbone_tensors(backbone), device),
                    stored(folder / "heads.safetensors", head_tensors(backbone), device));
  const Tensor a = test::patterned_frame(0, 64, 72);
  const Tensor others = at::cat({test::patterned_frame(1, 64, 72), test::patterned_frame(9, 64, 72), a});
  const Tensor distance = lpips(at::cat({a, a, a}), others);
  CHECK(distance[0].item<double>() == Approx(backbone.near).epsilon(1e-4));
  CHECK(distance[1].item<double>() == Approx(backbone.far).epsilon(1e-4));
  CHECK(distance[2].item<double>() == 0);
}

TEST_CASE("a network that is neither AlexNet nor VGG16, and heads of the other one, are model errors", "[metrics]") {
  const test::TempDir folder;
  const Weights heads = stored(folder / "alex.safetensors", head_tensors(kAlexNet), at::kCPU);
  const Weights other = stored(folder / "resnet.safetensors", {{"conv1.weight", at::zeros({64, 3, 7, 7})}}, at::kCPU);
  const Error unknown = test::error_of([&] { Lpips(other, heads); });
  CHECK(unknown.kind() == ErrorKind::model);
  CHECK(std::string(unknown.what()).find("expected [64, 3, 11, 11] (AlexNet) or [64, 3, 3, 3] (VGG16), got none") !=
        std::string::npos);
  const Weights vgg = stored(folder / "vgg16.safetensors", backbone_tensors(kVgg16), at::kCPU);
  const Error mixed = test::error_of([&] { Lpips(vgg, heads); });
  CHECK(mixed.kind() == ErrorKind::model);
  CHECK(std::string(mixed.what()).find("expected shape [1, 128, 1, 1] for the VGG16 backbone, got [1, 192, 1, 1]") !=
        std::string::npos);
}

}  // namespace
}  // namespace faststar
