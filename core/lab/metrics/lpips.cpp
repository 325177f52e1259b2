#include "core/lab/metrics/lpips.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/lab/metrics/fidelity.h"

namespace faststar {
namespace {

enum class Compared { no, yes };

/// One convolution, followed by a ReLU, of a backbone.
struct ConvolutionSpec {
  int place;  // in torchvision's `features`
  int64_t channels;
  int64_t kernel;
  int64_t stride;
  int64_t padding;
  int64_t pool_before;
  Compared compared;
};

struct BackboneSpec {
  const char* name;
  int64_t smallest_side;  // pixels, below which the last features vanish
  std::vector<ConvolutionSpec> convolutions;
};

const BackboneSpec& alexnet() {
  static const BackboneSpec spec = {"AlexNet",
                                    31,
                                    {{0, 64, 11, 4, 2, 0, Compared::yes},
                                     {3, 192, 5, 1, 2, 3, Compared::yes},
                                     {6, 384, 3, 1, 1, 3, Compared::yes},
                                     {8, 256, 3, 1, 1, 0, Compared::yes},
                                     {10, 256, 3, 1, 1, 0, Compared::yes}}};
  return spec;
}

const BackboneSpec& vgg16() {
  static const BackboneSpec spec = {"VGG16",
                                    16,
                                    {{0, 64, 3, 1, 1, 0, Compared::no},
                                     {2, 64, 3, 1, 1, 0, Compared::yes},
                                     {5, 128, 3, 1, 1, 2, Compared::no},
                                     {7, 128, 3, 1, 1, 0, Compared::yes},
                                     {10, 256, 3, 1, 1, 2, Compared::no},
                                     {12, 256, 3, 1, 1, 0, Compared::no},
                                     {14, 256, 3, 1, 1, 0, Compared::yes},
                                     {17, 512, 3, 1, 1, 2, Compared::no},
                                     {19, 512, 3, 1, 1, 0, Compared::no},
                                     {21, 512, 3, 1, 1, 0, Compared::yes},
                                     {24, 512, 3, 1, 1, 2, Compared::no},
                                     {26, 512, 3, 1, 1, 0, Compared::no},
                                     {28, 512, 3, 1, 1, 0, Compared::yes}}};
  return spec;
}

std::string place_name(int place, const char* what) { return fmt::format("features.{}.{}", place, what); }

std::vector<int64_t> weight_shape(const ConvolutionSpec& convolution, int64_t channels_in) {
  return {convolution.channels, channels_in, convolution.kernel, convolution.kernel};
}

const BackboneSpec& recognise(const Weights& weights) {
  const std::string first = place_name(0, "weight");
  if (weights.has(first)) {
    for (const auto* spec : {&alexnet(), &vgg16()}) {
      if (weights.shape_of(first) == weight_shape(spec->convolutions.front(), 3)) return *spec;
    }
  }
  const std::string found = weights.has(first) ? shape_text(weights.shape_of(first)) : "none";
  fail(ErrorKind::model,
       fmt::format("{}: {}: expected [64, 3, 11, 11] (AlexNet) or [64, 3, 3, 3] (VGG16), got {}",
                   weights.source().origin(), first, found),
       "--lpips-backbone takes torchvision's alexnet or vgg16 file");
}

// [C]
Tensor read_head(const Weights& heads, int index, int64_t channels, const char* backbone) {
  const std::string name = fmt::format("lin{}.model.1.weight", index);
  const std::vector<int64_t> shape = {1, channels, 1, 1};
  if (heads.has(name) && heads.shape_of(name) != shape) {
    fail(ErrorKind::model,
         fmt::format("{}: tensor {}: expected shape {} for the {} backbone, got {}", heads.source().origin(), name,
                     shape_text(shape), backbone, shape_text(heads.shape_of(name))),
         "--lpips-linear takes the file of the same network: alex.pth or vgg.pth");
  }
  return heads.get(name, shape).flatten();
}

// Frame [H, W, 3] in levels -> [3, H, W] as ImageNet's networks want it (ScalingLayer of lpips/lpips.py).
Tensor network_input(const Tensor& frame, at::Device device) {
  const Tensor pixels = frame.to(device).to(at::kFloat) / 127.5 - 1;
  const Tensor shift = at::tensor({-.030, -.088, -.188}, pixels.options());
  const Tensor scale = at::tensor({.458, .448, .450}, pixels.options());
  return ((pixels - shift) / scale).permute({2, 0, 1});
}

// Every place's feature vector at length 1; x [2, C, h, w].
Tensor unit_features(const Tensor& x) { return x / (x.square().sum({1}, /*keepdim=*/true).sqrt() + 1e-10); }

}  // namespace

Lpips::Lpips(const Weights& backbone, const Weights& heads) : device_(backbone.device()) {
  const BackboneSpec& spec = recognise(backbone);
  smallest_side_ = spec.smallest_side;
  int64_t channels = 3;
  int heads_read = 0;
  for (const ConvolutionSpec& layer : spec.convolutions) {
    Convolution& convolution = convolutions_.emplace_back();
    convolution.weight = backbone.get(place_name(layer.place, "weight"), weight_shape(layer, channels));
    convolution.bias = backbone.get(place_name(layer.place, "bias"), {layer.channels});
    convolution.stride = layer.stride;
    convolution.padding = layer.padding;
    convolution.pool_before = layer.pool_before;
    if (layer.compared == Compared::yes) {
      convolution.head = read_head(heads, heads_read++, layer.channels, spec.name);
    }
    channels = layer.channels;
  }
}

// One pair [H, W, 3]: a clip's feature maps would not fit.
Tensor Lpips::distance(const Tensor& a, const Tensor& b) const {
  Tensor x = at::stack({network_input(a, device_), network_input(b, device_)});  // [2, 3, H, W]
  Tensor sum = at::zeros({}, x.options().dtype(at::kDouble));
  for (const Convolution& layer : convolutions_) {
    if (layer.pool_before > 0) x = at::max_pool2d(x, layer.pool_before, /*stride=*/2);
    x = at::relu(at::conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding));  // [2, C, h, w]
    if (!layer.head.defined()) continue;
    const Tensor features = unit_features(x);
    const Tensor squares = (features[0] - features[1]).square().flatten(1);  // [C, h w]
    sum += at::mv(squares.t(), layer.head).mean(at::kDouble);
  }
  return sum;
}

Tensor Lpips::operator()(const Tensor& a, const Tensor& b) const {
  check_frame_pair("LPIPS", a, b, smallest_side_);
  Tensor distances = at::empty({a.size(0)}, at::kDouble);
  for (int64_t i = 0; i < a.size(0); ++i) distances[i].copy_(distance(a[i], b[i]));
  return distances;
}

}  // namespace faststar
