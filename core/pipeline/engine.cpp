#include "core/pipeline/engine.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/base/weights/fingerprint.h"

namespace faststar {

Engine::Engine(EngineSetup setup, Residency most)
    : setup_(std::move(setup)),
      most_(most),
      device_(pick_device(setup_.device)),
      guard_(device_),
      model_(open_model(setup_.model)) {
  set_kernels(setup_.kernels);
  set_up_backends();
}

at::ScalarType Engine::dtype() const { return setup_.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat; }

TextFeatures Engine::encode_text(const TextIds& ids) {
  if (!text_encoder_) {
    const Weights weights(model_.t5, device_, dtype());
    text_encoder_ = std::make_unique<T5Encoder>(weights, model_.t5_architecture);
    weights.warn_about_unused(known_unused_t5_tensors());
  }
  TextFeatures features;
  features.cond = (*text_encoder_)(ids.prompt);
  if (ids.negative) features.uncond = (*text_encoder_)(*ids.negative);
  return features;
}

const StarTransformer& Engine::transformer() {
  if (!transformer_) {
    const Weights weights(model_.transformer, device_, dtype());
    transformer_ = std::make_unique<StarTransformer>(weights, model_.star_architecture);
    weights.warn_about_unused(known_unused_star_tensors());
  }
  return *transformer_;
}

const VideoVae& Engine::vae(VaeParts parts) {
  if (vae_ && parts > vae_parts_) unload_vae();
  if (!vae_) {
    const Weights weights(model_.vae, device_, dtype());
    vae_ = std::make_unique<VideoVae>(weights, model_.vae_architecture, parts);
    vae_parts_ = parts;
    weights.warn_about_unused(VideoVae::unused_weights(parts));
  }
  return *vae_;
}

const std::map<std::string, std::string>& Engine::fingerprints() const {
  if (fingerprints_.empty() && !setup_.model.random_weights) {
    fingerprints_ = {{"text_encoder", fingerprint(*model_.t5)},
                     {"transformer", fingerprint(*model_.transformer)},
                     {"vae", fingerprint(*model_.vae)}};
  }
  return fingerprints_;
}

void Engine::unload_text_encoder() {
  text_encoder_.reset();
  release_cached_memory(device_);
}

void Engine::unload_transformer() {
  transformer_.reset();
  release_cached_memory(device_);
}

void Engine::unload_vae() {
  vae_.reset();
  release_cached_memory(device_);
}

}  // namespace faststar
