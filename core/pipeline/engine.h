#pragma once
#include <c10/core/DeviceGuard.h>

#include <map>
#include <memory>
#include <optional>

#include "core/model/star/generator.h"
#include "core/model/vae/video_vae.h"
#include "core/pipeline/job.h"
#include "core/pipeline/memory_plan.h"
#include "core/pipeline/open_model.h"
#include "core/pipeline/text_ids.h"

namespace faststar {

/// A model on a device, opened and checked once for any number of jobs. Its parts load when they are first asked for
/// and stay until they are unloaded; makes its device the current one of the thread.
class Engine {
 public:
  /// `most`: what jobs keep on the device if there is room. Throws Error(model), Error(device).
  explicit Engine(EngineSetup setup, Residency most = Residency::generators);

  const EngineSetup& setup() const { return setup_; }
  const OpenModel& model() const { return model_; }
  at::Device device() const { return device_; }
  /// Of the transformer and the decoder.
  at::ScalarType dtype() const;
  MemoryBudget budget() const { return {most_, setup_.vram}; }

  /// Features of the prompt and, where there is one, of the negative prompt (else `uncond` is undefined).
  TextFeatures encode_text(const TextIds& ids);
  const StarTransformer& transformer();
  /// The decoder at least.
  const VideoVae& vae(VaeParts parts);

  bool has_text_encoder() const { return text_encoder_ != nullptr; }
  bool has_transformer() const { return transformer_ != nullptr; }
  bool has_vae() const { return vae_ != nullptr; }

  /// Part -> fingerprint of its checkpoint; empty when the weights are random.
  const std::map<std::string, std::string>& fingerprints() const;

  /// Free a part's memory on the device.
  void unload_text_encoder();
  void unload_transformer();
  void unload_vae();

 private:
  EngineSetup setup_;
  Residency most_;
  at::Device device_;
  c10::DeviceGuard guard_;  ///< kernels launch on the current device
  OpenModel model_;
  std::unique_ptr<T5Encoder> text_encoder_;
  std::unique_ptr<StarTransformer> transformer_;
  std::unique_ptr<VideoVae> vae_;
  VaeParts vae_parts_ = VaeParts::decoder;
  mutable std::map<std::string, std::string> fingerprints_;
};

}  // namespace faststar
