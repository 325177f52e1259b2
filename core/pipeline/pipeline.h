#pragma once
#include <c10/core/DeviceGuard.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/base/device.h"
#include "core/base/process_group.h"
#include "core/base/weights/weight_loader.h"
#include "core/config/resolve.h"
#include "core/model/star/generator.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/video_vae.h"
#include "core/pipeline/checkpoints.h"
#include "core/pipeline/workload.h"

namespace faststar {

/// A model and how it runs: what all runs of a process share.
struct ModelSetup {
  ModelFolder model;
  std::string device;  ///< for pick_device; names a device that works, unless absent_gpu
  Precision precision = Precision::fp32;
  LinearPrecision linears = LinearPrecision::backbone;  ///< of the transformer
  Kernels kernels = Kernels::automatic;
  std::optional<double> vram;  ///< most device memory in GB; none: all that is free
  bool absent_gpu = false;     ///< a dry run for a GPU that is not here: `vram` is all that is known of it
  int processes = 1;           ///< that make each video together, one a GPU
  /// These processes; one alone in a dry run.
  std::shared_ptr<ProcessGroup> group = std::make_shared<ProcessGroup>();
};

/// What a run without --precision computes in.
Precision default_precision(at::Device device);

/// Throws Error(usage) starting with `asked` when a precision needs a GPU and the device is none, Error(device) when it
/// needs a newer one.
void check_precision(Precision precision, at::Device device, const std::string& asked);

/// The setup that settings describe. A dry run for `cuda` with --vram needs no GPU; where there is none, what depends
/// on the GPU's kind is not checked. Throws Error(device), and Error(usage) for what the device cannot do.
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
  MemoryBudget budget() const { return {most_, setup_.vram, setup_.absent_gpu}; }

  /// Loaded at the first call. Throws Error(model) when the vocabulary belongs to another model.
  const Tokenizer& tokenizer();
  const T5Encoder& text_encoder();
  const StarTransformer& transformer();
  /// The decoder at least.
  const VideoVae& vae(VaeParts parts);

  bool has_transformer() const { return transformer_ != nullptr; }
  /// On a GPU, begins to load the transformer: transformer() then waits for what is missing. Does nothing on a CPU,
  /// whose cores have other work meanwhile.
  void load_transformer_ahead();
  /// On a GPU, begins to have libraries load what the transformer's passes need, on a thread of its own: transformer()
  /// waits for its end. Does nothing on a CPU, and where weights are random, which take no time to load.
  void warm_up_ahead(const Schedule& schedule, const GenerationSettings& settings);
  /// Of the networks that were loaded from files: "text encoder", "transformer", "vae".
  const std::map<std::string, LoadTimes>& load_times() const { return load_times_; }

  /// What was measured on this machine; read at the first call.
  const RatesFile& rates_file() const;

  /// Part -> fingerprint of its checkpoint; empty when the weights are random.
  const std::map<std::string, std::string>& fingerprints() const;
  /// Of the decoder's checkpoint; empty when the weights are random.
  std::string vae_fingerprint() const;

  /// Free a network's memory on the device.
  void unload_text_encoder() { unload(text_encoder_); }
  void unload_transformer() { unload(transformer_); }
  void unload_vae() { unload(vae_); }
  /// Frees all that a decode does not need and that can load again. False when there was nothing.
  bool unload_for_decode();

 private:
  template <typename Network>
  void unload(std::shared_ptr<const Network>& network) {
    network.reset();
    release_cached_memory(device_);
  }
  Weights begin_loading(const std::shared_ptr<const TensorSource>& source, const TensorRequests& requests,
                        const std::vector<FusedLayers>& fused = {}) const;
  Weights begin_transformer() const;
  template <typename Network, typename... Arguments>
  std::shared_ptr<const Network> finish_loading(const char* part, const Weights& weights,
                                                const std::vector<std::string>& unused, const Arguments&... arguments);

  ModelSetup setup_;
  Residency most_;
  at::Device device_;
  c10::DeviceGuard guard_;  ///< kernels launch on the current device
  Checkpoints checkpoints_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<const T5Encoder> text_encoder_;
  std::shared_ptr<const StarTransformer> transformer_;
  std::shared_ptr<const VideoVae> vae_;
  std::optional<Weights> coming_transformer_;
  std::map<std::string, LoadTimes> load_times_;
  VaeParts vae_parts_ = VaeParts::decoder;
  mutable std::map<std::string, std::string> fingerprints_;
  mutable std::optional<RatesFile> rates_file_;
  std::jthread warming_;
};

/// Token ids of the prompt and, when there is one, of the negative prompt: [T] int64 each.
struct TextIds {
  Tensor prompt;
  std::optional<Tensor> negative;
  bool cut = false;  ///< the prompt was over the limit
};

/// The stages from text and pixels to frames, in memory, over one model. Everything that generates goes through
/// them: plans with their files (run.h), interactive runs, batches and the laboratory. Each stage loads the network it
/// needs, computes without gradients on the model's device, and sets LibTorch's process-wide switches for as long as it
/// works, so that two pipelines in one process do not disturb each other. Stages must not overlap in time.
///
/// The laboratory makes one over a model of its own:
///
///     Model model(model_setup(resolved), Residency::everything);  // or Model model(Networks{&star, &vae, &t5})
///     Pipeline pipeline(model);
///     const TextFeatures text = pipeline.encode_text(video_prompt(prompt, config.prompt, duration), text_limit);
///     GenerationSettings settings = generation_settings(config);  // seed, reduction, ... may then change
///     const Tensor codes = pipeline.generate(schedule, settings, {.text = text, .given_bits = bits}, &observer);
///     const Tensor frames = pipeline.decode(codes);
class Pipeline {
 public:
  /// `model` is referred to and must outlive the pipeline.
  explicit Pipeline(Model& model)
      : model_(model),
        kernels_(model.setup().kernels),
        group_(model.setup().group),
        processes_(model.setup().processes) {}

  Model& model() const { return model_; }
  at::Device device() const { return model_.device(); }
  /// Which operations the stages run from now on; at first those of the model's setup.
  void set_kernels(Kernels kernels) { kernels_ = kernels; }
  /// The processes that share the stages from now on; at first those of the model's setup. All of them run the same
  /// stages.
  void set_group(std::shared_ptr<ProcessGroup> group) {
    group_ = std::move(group);
    processes_ = group_->size();
  }
  ProcessGroup& group() const { return *group_; }
  /// How many they are; in a dry run, how many they would be.
  int processes() const { return processes_; }

  /// A text of more than `limit` tokens, or of more than the model takes, is cut with one warning that shows what was
  /// cut. Throws Error(model) when the vocabulary belongs to another model.
  TextIds tokenize(const std::string& prompt, const std::optional<std::string>& negative, int64_t limit) const;
  /// `uncond` is undefined without a negative prompt.
  TextFeatures encode_text(const TextIds& ids) const;
  TextFeatures encode_text(const std::string& text, int64_t limit) const;

  /// Pixels [1, 3, F, H, W] in [-1, 1] on any device -> features [1, 64, T, H/16, W/16] float32, as VideoVae::encode.
  Tensor encode(const Tensor& pixels, const EncodeOptions& options = {}) const;

  /// The accumulated features of all clips of `schedule`, [1, 64, T, H, W] float32: faststar::generate.
  Tensor generate(const Schedule& schedule, const GenerationSettings& settings, const GenerationInput& input,
                  GenerationObserver* observer = nullptr) const;

  /// Slice by slice, as VideoVae::decode: the frames are in the first process of the group.
  void decode(const Tensor& codes, const std::function<void(const Tensor& frames)>& on_frames,
              const DecodeOptions& options = {}) const;
  /// All frames of codes [1, 64, T, H, W]: [3, F, 16 H, 16 W] float32, about [-1, 1]; undefined in the other processes
  /// of a group.
  Tensor decode(const Tensor& codes) const;

 private:
  Model& model_;
  Kernels kernels_;
  std::shared_ptr<ProcessGroup> group_;
  int processes_;
};

}  // namespace faststar
