#include <ATen/ATen.h>

#include "core/lab/verify/components.h"
#include "core/model/vae/frames.h"

namespace faststar {

Tensor every(const Tensor& tensor, int64_t dim, int64_t stride) {
  return tensor.slice(dim, std::nullopt, std::nullopt, stride);
}

Tensor pick(const Tensor& tensor, int64_t dim, const std::vector<int64_t>& indices) {
  return tensor.index_select(dim, at::tensor(indices, at::kLong).to(tensor.device()));
}

Tensor decode_whole(const VideoVae& vae, const Tensor& features) {
  std::vector<Tensor> slices;
  vae.decode(features, [&](const Tensor& frames) { slices.push_back(frames); });
  return at::cat(slices, 2);
}

Tensor official_frames(const Tensor& decoded) {
  FrameStream stream(FirstFrame::copy);
  std::vector<Tensor> frames;
  if (auto shown = stream.push(decoded)) frames.push_back(*shown);
  if (auto shown = stream.finish()) frames.push_back(*shown);
  return at::cat(frames).flip(-1).unsqueeze(0);
}

ComponentResult verify_vae_encode(const FixtureSet& set, const VerifyOptions&) {
  const VideoVae vae = set.load_vae(at::kFloat);
  const Fixture io = set.open("vae_io.safetensors");
  const Tensor pixels = io["pixels"].to(set.device());
  Comparison comparison("vae_encode", tolerances_of(at::kFloat).vae);  // the encoder is float32 always
  comparison.close("features_mean", vae.encode(pixels), io["features_mean"]);
  comparison.close("features_first_frame", vae.encode(pixels.narrow(2, 0, 1)), io["features_first_frame"]);
  return comparison.result();
}

ComponentResult verify_vae_decode(const FixtureSet& set, const VerifyOptions& options) {
  const VideoVae vae = set.load_vae(options.dtype);
  const Fixture io = set.open("vae_io.safetensors");
  const auto decoded = [&](const char* features) { return decode_whole(vae, io[features].to(set.device())); };
  Comparison comparison("vae_decode", tolerances_of(options.dtype).vae);
  comparison.close("decoded", decoded("features_mean"), io["decoded"]);
  comparison.close("decoded_first_frame", decoded("features_first_frame"), io["decoded_first_frame"]);
  comparison.close("decoded_even", decoded("features_even"), io["decoded_even"]);
  return comparison.result();
}

}  // namespace faststar
