#pragma once
#include <functional>
#include <optional>
#include <string>

#include "core/model/star/generator.h"
#include "core/pipeline/model.h"

namespace faststar {

/// Token ids of the prompt and, when there is one, of the negative prompt: [T] int64 each.
struct TextIds {
  Tensor prompt;
  std::optional<Tensor> negative;
  bool cut = false;  ///< the prompt was over the limit

  /// Tokens of the longer one.
  int64_t tokens() const;
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
  explicit Pipeline(Model& model) : model_(model), kernels_(model.setup().kernels) {}

  Model& model() const { return model_; }
  at::Device device() const { return model_.device(); }
  /// Which operations the stages run from now on; at first those of the model's setup.
  void set_kernels(Kernels kernels) { kernels_ = kernels; }

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

  /// Slice by slice, as VideoVae::decode.
  void decode(const Tensor& codes, const std::function<void(const Tensor& frames)>& on_frames,
              const DecodeOptions& options = {}) const;
  /// All frames of codes [1, 64, T, H, W]: [3, F, 16 H, 16 W] float32, about [-1, 1].
  Tensor decode(const Tensor& codes) const;

 private:
  Model& model_;
  Kernels kernels_;
};

}  // namespace faststar
