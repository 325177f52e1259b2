#include "core/lab/bench/test_picture.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace faststar {
namespace {

constexpr uint64_t kPictureSeed = 1;
/// The picture is larger than a frame, so that a camera close to it still sees pixels of their own.
constexpr double kPictureSize = 1.4;
/// Share of the picture's width in a frame, at the start and at the end.
constexpr double kWidest = 0.85, kClosest = 0.7;
/// How far the camera's centre moves; the picture's half width is 1.
constexpr double kPan = 0.14;

/// [3, h, w] float32 in [0, 1]: brightness and two weaker colour differences with spectra of 1/f.
Tensor spectral_picture(int64_t h, int64_t w) {
  at::Generator generator = at::detail::createCPUGenerator(kPictureSeed);
  const Tensor noise = at::randn({3, h, w}, generator, at::TensorOptions(at::kFloat));
  const Tensor rows = at::fft_fftfreq(h, 1.0).unsqueeze(1), columns = at::fft_fftfreq(w, 1.0).unsqueeze(0);
  const Tensor frequency = (rows.square() + columns.square()).sqrt().clamp_min(1.0 / static_cast<double>(h));
  const Tensor smooth = at::real(at::fft_ifft2(at::fft_fft2(noise) / frequency));
  const Tensor centred = smooth - smooth.mean({1, 2}, /*keepdim=*/true);
  const Tensor unit = centred / centred.square().mean(at::IntArrayRef{1, 2}, /*keepdim=*/true).sqrt();
  constexpr double kContrast = 0.18, kColour = 0.4;
  const Tensor brightness = unit[0], warm = kColour * unit[1], green = kColour * unit[2];
  return (0.5 + kContrast * at::stack({brightness + warm, brightness + green, brightness - warm})).clamp(0, 1);
}

/// The camera of each frame: affine maps [F, 2, 3] from the frame to the picture, both -1 to 1.
Tensor camera_path(int64_t frames) {
  std::vector<float> path;
  for (int64_t frame = 0; frame < frames; ++frame) {
    const double time = static_cast<double>(frame) / static_cast<double>(std::max<int64_t>(frames - 1, 1));
    const auto zoom = static_cast<float>(kWidest + (kClosest - kWidest) * time);
    const auto x = static_cast<float>(kPan * (2 * time - 1));
    const auto y = static_cast<float>(kPan * std::sin(std::numbers::pi * time) / 2);
    path.insert(path.end(), {zoom, 0, x, 0, zoom, y});
  }
  return at::tensor(path).view({frames, 2, 3});
}

}  // namespace

Tensor moving_test_picture(const TestPicture& size, at::Device device) {
  const auto larger = [](int64_t extent) { return std::llround(kPictureSize * static_cast<double>(extent)); };
  const Tensor picture = spectral_picture(larger(size.height), larger(size.width)).to(device).unsqueeze(0);
  constexpr int64_t kBilinear = 0, kReflection = 2;  // of at::grid_sampler
  std::vector<Tensor> frames;
  for (const Tensor& camera : camera_path(size.frames).to(device).split(1)) {
    const Tensor places = at::affine_grid_generator(camera, {1, 3, size.height, size.width}, /*align_corners=*/false);
    const Tensor frame = at::grid_sampler(picture, places, kBilinear, kReflection, /*align_corners=*/false);
    frames.push_back((frame * 255).round().to(at::kByte)[0].permute({1, 2, 0}).contiguous());
  }
  return at::stack(frames);
}

Tensor noise_frames(const TestPicture& size, at::Device device) {
  at::Generator generator = at::detail::createCPUGenerator(kPictureSeed);
  const auto shape = {size.frames, size.height, size.width, int64_t{3}};
  return at::randint(256, shape, generator, at::TensorOptions(at::kByte)).to(device);
}

}  // namespace faststar
