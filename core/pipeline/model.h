#pragma once
#include <c10/core/DeviceGuard.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/config/resolve.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/video_vae.h"
#include "core/pipeline/memory_plan.h"

namespace faststar {

/// The three checkpoints of a model, opened: sizes are known, no weight is loaded.
struct Checkpoints {
  std::shared_ptr<const TensorSource> transformer;
  std::shared_ptr<const TensorSource> vae;
  std::shared_ptr<const TensorSource> t5;
  StarArchitecture star_architecture;
  VaeArchitecture vae_architecture;
  T5Architecture t5_architecture;
  std::filesystem::path vocabulary;  ///< spiece.model
};

/// The sizes of a checkpoint. Throw Error(model) naming the first tensor that is missing or has another shape than
/// the layers need. No data is read.
StarArchitecture check_transformer(const std::shared_ptr<const TensorSource>& source);
VaeArchitecture check_vae(const std::shared_ptr<const TensorSource>& source);
T5Architecture check_text_encoder(const std::shared_ptr<const TensorSource>& source,
                                  const std::filesystem::path& folder);

/// A model and how it runs: what all runs of a process share.
struct ModelSetup {
  ModelFolder model;
  std::string device;  ///< for pick_device; names a device that works
  Precision precision = Precision::fp32;
  Kernels kernels = Kernels::automatic;
  std::optional<double> vram;  ///< most device memory in GB; none: all that is free
};

/// The setup that settings describe. Throws Error(device), and Error(usage) for what the device cannot do.
ModelSetup model_setup(const ResolvedSettings& resolved);

/// The model's name and where it comes from, as users see it.
std::string describe_model(const ModelFolder& model);

/// Networks that exist already, all on one device. They must outlive the model made from them; a null one is never
/// asked for.
struct Networks {
  const StarTransformer* transformer = nullptr;
  const VideoVae* vae = nullptr;  ///< with the halves that are needed
  const T5Encoder* text_encoder = nullptr;
};

/// A model on a device, opened and checked once for any number of runs. Its networks load when they are first asked
/// for and stay until they are unloaded. Makes its device the current one of the thread.
class Model {
 public:
  /// Opens the checkpoints and checks every shape. `most`: what runs keep on the device if there is room.
  /// Throws Error(model) when a file is damaged or the parts do not fit together, Error(device).
  explicit Model(ModelSetup setup, Residency most = Residency::generators);
  /// A model of networks that exist; it has no checkpoints, and nothing is unloaded.
  explicit Model(const Networks& networks, Kernels kernels = Kernels::automatic);

  const ModelSetup& setup() const { return setup_; }
  const Checkpoints& checkpoints() const { return checkpoints_; }
  at::Device device() const { return device_; }
  /// Of the transformer and the decoder.
  at::ScalarType dtype() const;
  MemoryBudget budget() const { return {most_, setup_.vram}; }

  /// Loaded at the first call. Throws Error(model) when the vocabulary belongs to another model.
  const Tokenizer& tokenizer();
  const T5Encoder& text_encoder();
  const StarTransformer& transformer();
  /// The decoder at least.
  const VideoVae& vae(VaeParts parts);

  bool has_transformer() const { return transformer_ != nullptr; }

  /// Part -> fingerprint of its checkpoint; empty when the weights are random.
  const std::map<std::string, std::string>& fingerprints() const;
  /// Of the decoder's checkpoint; empty when the weights are random.
  std::string vae_fingerprint() const;

  /// Free a network's memory on the device.
  void unload_text_encoder();
  void unload_transformer();
  void unload_vae();

 private:
  ModelSetup setup_;
  Residency most_;
  at::Device device_;
  c10::DeviceGuard guard_;  ///< kernels launch on the current device
  Checkpoints checkpoints_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<const T5Encoder> text_encoder_;
  std::shared_ptr<const StarTransformer> transformer_;
  std::shared_ptr<const VideoVae> vae_;
  VaeParts vae_parts_ = VaeParts::decoder;
  mutable std::map<std::string, std::string> fingerprints_;
};

}  // namespace faststar
