#include "core/lab/train/vae_objective.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace faststar {
namespace {

/// Mean of |difference of neighbours along `dim`|, weighted by the later one's weight.
Tensor neighbour_loss(const Tensor& d, const Tensor& weight, int64_t dim) {
  const int64_t n = d.size(dim) - 1;
  return (weight.narrow(dim, 1, n) * (d.narrow(dim, 1, n) - d.narrow(dim, 0, n)).abs()).mean();
}

/// The largest coverage within 4 frames and 4 pixels.
Tensor coverage_nearby(const Tensor& coverage) {
  constexpr int64_t kReach = 4, kWindow = 2 * kReach + 1;
  const Tensor in_time = at::max_pool3d(coverage, {kWindow, 1, 1}, {1, 1, 1}, {kReach, 0, 0});
  return at::max_pool3d(in_time, {1, kWindow, kWindow}, {1, 1, 1}, {0, kReach, kReach});
}

Tensor weight_of(const Tensor& coverage, const VaeLossWeights& weights) {
  const Tensor weight = coverage * weights.object + 1;
  return weights.near_object > 0 ? weight + coverage_nearby(coverage) * weights.near_object : weight;
}

/// All frames in one slice: what a slice leaves to the next is not needed.
Tensor encode_whole(const VideoVae& vae, const Tensor& pixels) {
  return vae.encode(pixels, {.slice_frames = pixels.size(2)});
}

Tensor decode_whole(const VideoVae& vae, const Tensor& features) {
  Tensor decoded;
  vae.decode(features, [&](const Tensor& frames) { decoded = frames; }, {.slice_latents = features.size(2)});
  return decoded;
}

/// A value a clip for each of its latent frames: [B] -> [B T].
Tensor for_each_frame(const Tensor& of_clips, int64_t frames) {
  return of_clips.unsqueeze(1).expand({-1, frames}).reshape({-1});
}

PyramidShape pyramid_of(const VaeObjective::Settings& settings) {
  return settings.plan.pyramid.shrunk_to(static_cast<int>(settings.size.height / kPixelsPerFeature),
                                         static_cast<int>(settings.size.width / kPixelsPerFeature));
}

}  // namespace

Tensor reconstruction_loss(const Tensor& decoded, const Tensor& pixels, const Tensor& coverage,
                           const VaeLossWeights& weights) {
  const Tensor d = decoded.to(at::kFloat) - pixels;
  const Tensor w = weight_of(coverage, weights);
  const Tensor square = d.square();
  const Tensor pixel = (w * ((square + 1e-6).sqrt() + weights.squared * square)).mean();
  const Tensor edges = neighbour_loss(d, w, 4) + neighbour_loss(d, w, 3);
  const Tensor motion = neighbour_loss(d, w, 2);
  const Tensor areas = at::avg_pool3d(d, {1, 4, 4}).abs().mean();
  return pixel + weights.spatial_gradient * edges + weights.temporal_difference * motion + weights.pooled * areas;
}

VaeObjective::VaeObjective(const ClipRenderer& renderer, Settings settings, at::Device device)
    : renderer_(renderer), settings_(std::move(settings)), quantizer_(pyramid_of(settings_), device) {}

int64_t VaeObjective::draws() const {
  return quantizer_.draws(settings_.size.clips * latents_of_frames(settings_.size.frames));
}

const std::vector<std::string>& VaeObjective::statistics() {
  static const std::vector<std::string> names = {"loss", "squared_error", "commitment", "feature_power"};
  return names;
}

VideoVae VaeObjective::vae(const BoundParameters& parameters) const {
  const Weights weights(parameters.source(""), quantizer_.device(), settings_.dtype);
  return {weights, settings_.plan.architecture, VaeParts::encoder_and_decoder, settings_.dtype};
}

ClipBatch VaeObjective::render(const VaeBatch& batch) const {
  const c10::NoGradGuard no_grad;
  const ClipSize& size = settings_.size;
  const bool full = size.height == kWorldHeight && size.width == kWorldWidth;
  return renderer_(batch.records, full ? full_window(size.clips, size.frames, batch.records.device())
                                       : crop_window(batch.records, size.frames, size.height, size.width,
                                                     settings_.near_object, batch.crop));
}

/// Differentiable where the encoder is trained.
Tensor VaeObjective::encode(const VideoVae& network, const Tensor& pixels) const {
  const c10::AutoGradMode differentiate(c10::GradMode::is_enabled() && settings_.trained == TrainedPart::everything);
  return encode_whole(network, pixels);
}

Tensor VaeObjective::noisy_codes(const Tensor& frames, const VaeBatch& batch) const {
  const VaeNoise& noise = settings_.plan.noise;
  const auto uniform = [&](int64_t column) { return batch.noise.select(1, column); };
  const auto iterations = static_cast<double>(quantizer_.shape().iterations());
  const Tensor flip = uniform(0).lt(noise.flipped) * uniform(1) * noise.most_flips;
  const Tensor early = (batch.kept * (iterations - noise.fewest_kept)).floor() + noise.fewest_kept;
  const Tensor kept = at::where(uniform(2).lt(noise.truncated), early, at::full_like(early, iterations));
  const int64_t latents = frames.size(0) / settings_.size.clips;
  return quantizer_.quantize(frames, {.flip = for_each_frame(flip, latents),
                                      .kept = for_each_frame(kept, latents),
                                      .counter = batch.counter,
                                      .seed = settings_.seed});
}

BatchLoss VaeObjective::operator()(const BoundParameters& parameters, const VaeBatch& batch, CodesInLoop codes) const {
  const VideoVae network = vae(parameters);
  const ClipBatch clips = render(batch);
  const Tensor features = encode(network, clips.pixels);  // [B, 64, T, h, w]
  const int64_t B = features.size(0), h = features.size(3), w = features.size(4);
  const Tensor frames = frames_from_clips(features.detach());
  const Tensor clean = quantizer_.quantize(frames);
  const Tensor coded = codes == CodesInLoop::noisy ? noisy_codes(frames, batch) : clean;
  const Tensor commitment = (features - clips_from_frames(clean, B, h, w)).square().mean();

  // The decoder's gradient goes to the features as if there were no quantiser.
  const Tensor quantised = batch.noise.select(1, 3).ge(settings_.plan.noise.plain).to(at::kFloat).view({B, 1, 1, 1, 1});
  const Tensor step = (clips_from_frames(coded, B, h, w) - features.detach()) * quantised;
  const Tensor decoded = decode_whole(network, features + step);
  const Tensor loss = reconstruction_loss(decoded, clips.pixels, clips.coverage, settings_.plan.loss) +
                      settings_.plan.loss.commitment * commitment;
  const Tensor error = (decoded.detach().to(at::kFloat) - clips.pixels).square().mean();
  return {loss, at::stack({loss.detach(), error, commitment.detach(), features.detach().square().mean()})};
}

Tensor VaeObjective::feature_scale(const BoundParameters& parameters, const VaeBatch& batch) const {
  const c10::NoGradGuard no_grad;
  return (0.5 / encode_whole(vae(parameters), render(batch).pixels).square().mean()).sqrt();
}

}  // namespace faststar
