#include "core/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/log.h"

namespace faststar {
namespace {

/// What holds while a stage works.
struct StageScope {
  StageScope(const Model& model, Kernels kernels) : device(model.device()), backends(kernels) {}
  c10::InferenceMode inference;
  c10::DeviceGuard device;  ///< kernels launch on the current device
  BackendScope backends;
};

}  // namespace

int64_t TextIds::tokens() const { return std::max(prompt.size(0), negative ? negative->size(0) : 0); }

TextIds Pipeline::tokenize(const std::string& prompt, const std::optional<std::string>& negative, int64_t limit) const {
  const int64_t most = std::min(limit, model_.checkpoints().star_architecture.max_text_length);
  bool cut = false;
  const auto encode = [&](const std::string& text, const char* what) {
    const Tokenizer::Encoded encoded = model_.tokenizer().encode(text, most);
    cut = !encoded.cut.empty();
    if (cut) log::warn("{}: longer than {} tokens, cut off: \"{}\"", what, most, encoded.cut);
    return at::tensor(encoded.ids, at::kLong);
  };
  TextIds ids{.prompt = encode(prompt, "prompt"), .negative = {}, .cut = cut};
  if (negative) ids.negative = encode(*negative, "negative prompt");
  return ids;
}

TextFeatures Pipeline::encode_text(const TextIds& ids) const {
  const StageScope scope(model_, kernels_);
  const T5Encoder& encoder = model_.text_encoder();
  TextFeatures features{.cond = encoder(ids.prompt), .uncond = {}};
  if (ids.negative) features.uncond = encoder(*ids.negative);
  return features;
}

TextFeatures Pipeline::encode_text(const std::string& text, int64_t limit) const {
  return encode_text(tokenize(text, std::nullopt, limit));
}

Tensor Pipeline::encode(const Tensor& pixels, const EncodeOptions& options) const {
  const StageScope scope(model_, kernels_);
  return model_.vae(VaeParts::encoder_and_decoder).encode(pixels.to(device()), options);
}

Tensor Pipeline::generate(const Schedule& schedule, const GenerationSettings& settings, const GenerationInput& input,
                          GenerationObserver* observer) const {
  const StageScope scope(model_, kernels_);
  return faststar::generate(model_.transformer(), schedule, settings, input, observer);
}

void Pipeline::decode(const Tensor& codes, const std::function<void(const Tensor& frames)>& on_frames,
                      const DecodeOptions& options) const {
  const StageScope scope(model_, kernels_);
  model_.vae(VaeParts::decoder).decode(codes.to(device()), on_frames, options);
}

Tensor Pipeline::decode(const Tensor& codes) const {
  std::vector<Tensor> slices;
  decode(codes, [&](const Tensor& frames) { slices.push_back(frames[0].to(at::kFloat)); });
  return at::cat(slices, 1);
}

}  // namespace faststar
