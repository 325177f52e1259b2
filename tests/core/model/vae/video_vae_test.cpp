#include "core/model/vae/video_vae.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include "core/model/vae/golden_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr const char* kIo = "vae_io.safetensors";
constexpr double kParity = 2e-4;  // of max-abs, the fixtures' own bound
constexpr double kParityBfloat16 = 4e-2;

TEST_CASE("encode gives the official posterior mean", "[vae]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const c10::InferenceMode guard;
  const VideoVae vae = test::golden_vae(device);
  const Tensor pixels = test::golden_tensor(kIo, "pixels", device);
  CHECK(test::relative_error(vae.encode(pixels), test::golden_tensor(kIo, "features_mean")) < kParity);
  const Tensor first = vae.encode(pixels.narrow(2, 0, 1));
  CHECK(test::relative_error(first, test::golden_tensor(kIo, "features_first_frame")) < kParity);
}

TEST_CASE("decode gives the official pixels", "[vae]") {
  const auto [device, dtype] = GENERATE(from_range(test::test_device_dtypes()));
  const double bound = dtype == at::kFloat ? kParity : kParityBfloat16;
  const c10::InferenceMode guard;
  const VideoVae vae = test::golden_vae(device, dtype);
  const auto error = [&](const char* features, const char* decoded) {
    return test::relative_error(test::decode_whole(vae, test::golden_tensor(kIo, features, device)),
                                test::golden_tensor(kIo, decoded));
  };
  CHECK(error("features_mean", "decoded") < bound);
  CHECK(error("features_first_frame", "decoded_first_frame") < bound);
  CHECK(error("features_even", "decoded_even") < bound);
}

TEST_CASE("bfloat16 decodes on a CPU too", "[vae]") {
  const c10::InferenceMode guard;
  const Tensor decoded =
      test::decode_whole(test::golden_vae(at::kCPU, at::kBFloat16), test::golden_tensor(kIo, "features_mean"));
  CHECK(decoded.scalar_type() == at::kBFloat16);
  CHECK(test::relative_error(decoded, test::golden_tensor(kIo, "decoded")) < kParityBfloat16);
}

TEST_CASE("how a video is sliced does not change what is decoded", "[vae]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t latents = GENERATE(2, 5, 6);
  const c10::InferenceMode guard;
  const VideoVae vae = test::golden_vae(device);
  const Tensor features = test::seeded_randn({1, 64, latents, 2, 3}, 5, device);
  const Tensor whole = test::decode_whole(vae, features, {.slice_latents = latents});
  CHECK(whole.sizes() == at::IntArrayRef{1, 3, frames_of_latents(latents), 32, 48});
  for (int64_t slice = 1; slice < latents; ++slice) {
    CAPTURE(slice);
    CHECK(test::relative_error(test::decode_whole(vae, features, {.slice_latents = slice}), whole) < 1e-5);
  }
}

TEST_CASE("a longer video begins like a shorter one", "[vae]") {
  const c10::InferenceMode guard;
  const VideoVae vae = test::golden_vae(at::kCPU);
  const Tensor pixels = test::seeded_randn({1, 3, 17, 32, 32}, 6).clamp(-1, 1);
  const Tensor features = vae.encode(pixels);
  CHECK(test::relative_error(features.narrow(2, 0, 4), vae.encode(pixels.narrow(2, 0, 13))) < 1e-5);
  CHECK(test::relative_error(test::decode_whole(vae, features).narrow(2, 0, 5),
                             test::decode_whole(vae, features.narrow(2, 0, 2))) < 1e-5);
}

TEST_CASE("frames come slice by slice, and a callback that throws ends the decode", "[vae]") {
  const c10::InferenceMode guard;
  const VideoVae vae = test::golden_vae(at::kCPU);
  const Tensor features = test::seeded_randn({1, 64, 5, 1, 1}, 7);
  std::vector<int64_t> counts;
  vae.decode(features, [&](const Tensor& frames) { counts.push_back(frames.size(2)); });
  CHECK(counts == std::vector<int64_t>{1, 8, 8});

  counts.clear();
  const auto stop_after_two = [&](const Tensor& frames) {
    counts.push_back(frames.size(2));
    if (counts.size() == 2) fail(ErrorKind::interrupted, "stopped");
  };
  CHECK(test::error_of([&] { vae.decode(features, stop_after_two); }).kind() == ErrorKind::interrupted);
  CHECK(counts.size() == 2);
}

TEST_CASE("encode reports the frames that are done", "[vae]") {
  const c10::InferenceMode guard;
  std::vector<int64_t> done;
  const auto record = [&](int64_t frames) { done.push_back(frames); };
  test::golden_vae(at::kCPU).encode(at::zeros({1, 3, 13, 16, 16}), {.on_slice = record});
  CHECK(done == std::vector<int64_t>{5, 13});
}

TEST_CASE("shapes that the VAE cannot take are input errors", "[vae]") {
  const VideoVae vae = test::golden_vae(at::kCPU);
  const auto encode = [&](at::IntArrayRef shape) { return test::error_of([&] { vae.encode(at::zeros(shape)); }); };
  CHECK(encode({1, 3, 8, 32, 32}).kind() == ErrorKind::input);
  CHECK(encode({1, 3, 9, 32, 40}).kind() == ErrorKind::input);
  CHECK(encode({3, 9, 32, 32}).kind() == ErrorKind::input);
  const Error error = test::error_of([&] { vae.decode(at::zeros({1, 16, 1, 2, 2}), [](const Tensor&) {}); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == "features to decode: expected [B, 64, T, H, W], got [1, 16, 1, 2, 2]");
}

TEST_CASE("a VAE for decoding alone leaves the encoder's weights alone", "[vae]") {
  const Weights weights = test::golden_vae_weights(at::kCPU);
  const VideoVae vae(weights, detect_vae_architecture(weights), VaeParts::decoder);
  weights.warn_about_unused(VideoVae::unused_weights(VaeParts::decoder));  // a warning would fail the run
  CHECK_THROWS(vae.encode(at::zeros({1, 3, 1, 16, 16})));
}

/// Weights that can be trained: the tensors themselves, not copies.
class TrainedWeights final : public TensorSource {
 public:
  TrainedWeights() {
    const auto stored = open_checkpoint(test::golden_dir() / "vae_weights.pth");
    infos_ = stored->tensors();
    for (const auto& [name, info] : infos_) {
      Tensor tensor = stored->read(name, info, at::kCPU).clone();
      if (tensor.is_floating_point()) tensor.requires_grad_();
      held_[name] = tensor;
    }
  }
  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  Tensor read(const std::string& name, const TensorInfo&, at::Device) const override { return held_.at(name); }
  std::string origin() const override { return "training"; }

 private:
  std::map<std::string, TensorInfo> infos_;
  std::map<std::string, Tensor> held_;
};

TEST_CASE("gradients reach every weight through encode and decode, step after step", "[vae]") {
  const auto source = std::make_shared<TrainedWeights>();
  const Weights weights(source, at::kCPU, at::kFloat);
  const VideoVae vae(weights, detect_vae_architecture(weights));
  const Tensor pixels = test::seeded_randn({2, 3, 5, 16, 16}, 8);
  for (int step = 0; step < 2; ++step) {
    const Tensor decoded = test::decode_whole(vae, vae.encode(pixels));
    (decoded - pixels).square().mean().backward();
  }
  auto without_gradient = VideoVae::unused_weights(VaeParts::encoder_and_decoder);
  without_gradient.emplace_back("scale_learnable_parameters");  // encode multiplies by it, decode divides
  for (const auto& [name, info] : source->tensors()) {
    const auto begins = [&, &name = name](const std::string& prefix) { return name.starts_with(prefix); };
    if (std::any_of(without_gradient.begin(), without_gradient.end(), begins)) continue;
    CAPTURE(name);
    const Tensor grad = source->read(name, info, at::kCPU).grad();
    REQUIRE(grad.defined());
    CHECK(grad.abs().max().item<float>() > 0);
  }
}

TEST_CASE("the gradient of a weight is the slope of the loss", "[vae]") {
  const auto source = std::make_shared<TrainedWeights>();
  const Weights weights(source, at::kCPU, at::kFloat);
  const VideoVae vae(weights, detect_vae_architecture(weights));
  const Tensor features = test::seeded_randn({1, 64, 2, 1, 1}, 9);
  const auto loss = [&] { return test::decode_whole(vae, features).square().mean(); };
  const std::string name = GENERATE("decoder.up_blocks.3.resnets.1.norm2.conv_y.conv.bias",
                                    "decoder.up_blocks.2.upsamplers.0.conv.conv.conv.bias",
                                    "decoder.mid_block.resnets.0.norm1.norm_layer.gamma");
  Tensor weight = source->read(name, {}, at::kCPU);
  loss().backward();
  const c10::NoGradGuard guard;
  const Tensor direction = weight.grad().clone();
  constexpr double kStep = 1e-2;
  weight.add_(direction, kStep / direction.norm().item<double>());
  const double above = loss().item<double>();
  weight.sub_(direction, 2 * kStep / direction.norm().item<double>());
  const double slope = (above - loss().item<double>()) / (2 * kStep);
  CHECK(slope == Approx(direction.norm().item<double>()).epsilon(0.02));
}

TEST_CASE("TF32 convolutions move the features by about a thousandth on a GPU and by nothing on a CPU", "[vae]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const c10::InferenceMode inference;
  const VaeArchitecture architecture{.block_out_channels = {32, 64, 64, 64, 64}};
  const VideoVae vae(Weights(make_random_weights(1), device, at::kFloat), architecture);
  const Tensor pixels = test::seeded_randn({1, 3, 9, 64, 96}, 1, device);
  const Tensor exact = vae.encode(pixels);
  const Tensor rounded = vae.encode(pixels, {.bits = ConvolutionBits::tf32});
  CHECK(test::relative_error(vae.encode(pixels), exact) < 1e-5);  // the switch does not outlive the call
  if (device.is_cpu()) {
    CHECK(test::same(rounded, exact));
  } else {
    CHECK(test::relative_error(rounded, exact) < 1e-2);
    CHECK_FALSE(test::same(rounded, exact));
  }
}

}  // namespace
}  // namespace faststar
