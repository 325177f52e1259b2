#include "core/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/weights/weights.h"
#include "core/config/preset.h"

namespace faststar {
namespace {

/// Random weights are the same run after run; what they draw depends on the run's own seed alone.
constexpr uint64_t kRandomWeightsSeed = 0;

Checkpoints open_random_model(const ModelFolder& model) {
  const auto& sizes = model.preset.architecture;
  if (!sizes) {
    fail(ErrorKind::model,
         fmt::format("{}: --random-weights needs an `architecture:` section", model.preset.file.string()));
  }
  const auto source = make_random_weights(kRandomWeightsSeed);
  const auto own_vocabulary = model.layout.vocabulary();
  std::error_code ignored;
  const bool has_vocabulary = std::filesystem::is_regular_file(own_vocabulary, ignored);
  return {source,
          source,
          source,
          sizes->transformer,
          sizes->vae,
          sizes->text_encoder,
          has_vocabulary ? own_vocabulary : own_layout(embedded_model_dir()).vocabulary()};
}

/// Another source's names and shapes without its data: layers built from it check a whole checkpoint in a moment.
class ShapesOnly final : public TensorSource {
 public:
  explicit ShapesOnly(std::shared_ptr<const TensorSource> source) : source_(std::move(source)) {}
  const std::map<std::string, TensorInfo>& tensors() const override { return source_->tensors(); }
  Tensor read(const std::string&, const TensorInfo& info, at::Device) const override {
    return at::empty(info.shape, at::TensorOptions(at::kMeta).dtype(info.dtype));
  }
  std::string origin() const override { return source_->origin(); }

 private:
  std::shared_ptr<const TensorSource> source_;
};

Weights shapes_of(const std::shared_ptr<const TensorSource>& source) {
  return {std::make_shared<ShapesOnly>(source), at::kMeta, at::kFloat};
}

template <typename Network>
std::shared_ptr<const Network> borrowed(const Network* network) {
  return {std::shared_ptr<void>(), network};
}

Checkpoints open_checkpoints(const ModelLayout& layout) {
  Checkpoints open{.transformer = open_checkpoint(layout.transformer),
                   .vae = open_checkpoint(layout.vae),
                   .t5 = open_checkpoint(layout.t5),
                   .vocabulary = layout.vocabulary()};
  open.star_architecture = check_transformer(open.transformer);
  open.vae_architecture = check_vae(open.vae);
  open.t5_architecture = check_text_encoder(open.t5, layout.t5);
  return open;
}

Checkpoints open_model(const ModelSetup& setup) {
  const ModelFolder& model = setup.model;
  Checkpoints open = model.random_weights ? open_random_model(model) : open_checkpoints(model.layout);
  open.star_architecture.norm_weights = model.preset.norm_weights;
  open.star_architecture.linears = setup.linears;
  if (open.star_architecture.text_width != open.t5_architecture.hidden_size) {
    fail(ErrorKind::model,
         fmt::format("{}: expected a text encoder of width {}, {} has {}", open.transformer->origin(),
                     open.star_architecture.text_width, open.t5->origin(), open.t5_architecture.hidden_size));
  }
  return open;
}

/// What holds while a stage works.
struct StageScope {
  StageScope(const Model& model, Kernels kernels) : device(model.device()), backends(kernels) {}
  c10::InferenceMode inference;
  c10::DeviceGuard device;  ///< kernels launch on the current device
  BackendScope backends;
};

}  // namespace

StarArchitecture check_transformer(const std::shared_ptr<const TensorSource>& source) {
  const Weights shapes = shapes_of(source);
  const StarArchitecture sizes = detect_star_architecture(shapes);
  const StarTransformer checked(shapes, sizes);
  return sizes;
}

VaeArchitecture check_vae(const std::shared_ptr<const TensorSource>& source) {
  const Weights shapes = shapes_of(source);
  const VaeArchitecture sizes = detect_vae_architecture(shapes);
  const VideoVae checked(shapes, sizes);
  return sizes;
}

T5Architecture check_text_encoder(const std::shared_ptr<const TensorSource>& source,
                                  const std::filesystem::path& folder) {
  const Weights shapes = shapes_of(source);
  const T5Architecture sizes = detect_t5_architecture(shapes, folder);
  const T5Encoder checked(shapes, sizes);
  return sizes;
}

namespace {

/// Throws Error(usage) when backend and precision of attention exclude each other, Error(device) when they cannot run
/// on the device.
void check_attention(const Settings& settings, at::Device device, at::ScalarType dtype) {
  const AttentionSettings attention{settings.config.runtime.attention, settings.config.runtime.attention_precision};
  const auto obstacle = attention_obstacle(attention, device, dtype);
  if (!obstacle) return;
  const bool fp8 = attention.precision == AttentionPrecision::fp8;
  const bool excluded =
      fp8 && attention.backend != AttentionBackend::automatic && attention.backend != AttentionBackend::fa3;
  const bool by_precision = attention.backend == AttentionBackend::automatic || excluded;
  const std::string asked =
      by_precision ? fmt::format("{} fp8", settings.origin("attention_precision").text)
                   : fmt::format("{} {}", settings.origin("attention").text, choice_name(attention.backend));
  fail(excluded ? ErrorKind::usage : ErrorKind::device, fmt::format("{}: {}", asked, obstacle->message),
       obstacle->hint);
}

}  // namespace

void check_precision(Precision precision, at::Device device, const std::string& asked) {
  const auto obstacle = precision == Precision::fp8 ? fp8_obstacle(device) : std::nullopt;
  if (!obstacle) return;
  fail(device.is_cpu() ? ErrorKind::usage : ErrorKind::device, fmt::format("{} fp8: {}", asked, *obstacle),
       device.is_cpu() ? "--precision fp32" : "--precision bf16");
}

ModelSetup model_setup(const ResolvedSettings& resolved) {
  const Settings& settings = resolved.settings;
  const RuntimeConfig& runtime = settings.config.runtime;
  const at::Device device = pick_device(runtime.device.value_or(""));
  const auto refuse_on_cpu = [&](const char* name, const std::string& value, const char* hint) {
    if (device.is_cuda()) return;
    fail(ErrorKind::usage,
         fmt::format("{} {}: needs a GPU, but the device is the CPU", settings.origin(name).text, value), hint);
  };
  if (runtime.attention == AttentionBackend::cudnn) refuse_on_cpu("attention", "cudnn", "--attention aten");
  if (runtime.vram) refuse_on_cpu("vram", fmt::format("{:g}", *runtime.vram), "leave out --vram");
  if (device.is_cpu() && runtime.precision == Precision::bf16 && !cpu_has_bfloat16()) {
    log::warn("{} bf16: this CPU emulates bf16 with fp32; --precision fp32 is faster",
              settings.origin("precision").text);
  }
  const Precision precision = runtime.precision.value_or(device.is_cuda() ? Precision::bf16 : Precision::fp32);
  check_precision(precision, device, settings.origin("precision").text);
  check_attention(settings, device, dtype_of(precision));
  return {.model = resolved.model,
          .device = device.str(),
          .precision = precision,
          .linears = linears_of(runtime),
          .kernels = runtime.kernels,
          .vram = runtime.vram};
}

std::string describe_model(const ModelFolder& model) {
  const char* const random = model.random_weights ? ", random weights" : "";
  if (model.embedded) {
    return fmt::format("{} (embedded{}); --model DIR or FASTSTAR_MODEL uses another", model.preset.name, random);
  }
  const std::string where = model.folder.empty() ? model.preset.file.string() : model.folder.string();
  return fmt::format("{} ({}{})", model.preset.name, where, random);
}

Model::Model(ModelSetup setup, Residency most)
    : setup_(std::move(setup)),
      most_(most),
      device_(pick_device(setup_.device)),
      guard_(device_),
      checkpoints_(open_model(setup_)) {
  set_up_backends();
}

Model::Model(const Networks& networks, Kernels kernels)
    : most_(Residency::everything), device_(networks.transformer->device()), guard_(device_) {
  setup_.kernels = kernels;
  setup_.model.random_weights = true;  // no checkpoint to take fingerprints of
  text_encoder_ = borrowed(networks.text_encoder);
  transformer_ = borrowed(networks.transformer);
  vae_ = borrowed(networks.vae);
  vae_parts_ = VaeParts::encoder_and_decoder;
}

at::ScalarType Model::dtype() const { return dtype_of(setup_.precision); }

const Tokenizer& Model::tokenizer() {
  if (tokenizer_) return *tokenizer_;
  auto tokenizer = std::make_unique<Tokenizer>(checkpoints_.vocabulary);
  if (tokenizer->vocabulary_size() > checkpoints_.t5_architecture.vocabulary) {
    fail(ErrorKind::model,
         fmt::format("{}: {} tokens, but the text encoder {} has {}: the vocabulary is from another model",
                     checkpoints_.vocabulary.string(), tokenizer->vocabulary_size(), checkpoints_.t5->origin(),
                     checkpoints_.t5_architecture.vocabulary));
  }
  tokenizer_ = std::move(tokenizer);
  return *tokenizer_;
}

const T5Encoder& Model::text_encoder() {
  if (!text_encoder_) {
    const Weights weights(checkpoints_.t5, device_, dtype());
    text_encoder_ = std::make_shared<T5Encoder>(weights, checkpoints_.t5_architecture);
    weights.warn_about_unused(kUnusedT5Tensors);
  }
  return *text_encoder_;
}

const StarTransformer& Model::transformer() {
  if (!transformer_) {
    const Weights weights(checkpoints_.transformer, device_, dtype());
    transformer_ = std::make_shared<StarTransformer>(weights, checkpoints_.star_architecture);
    weights.warn_about_unused(kUnusedStarTensors);
  }
  return *transformer_;
}

const VideoVae& Model::vae(VaeParts parts) {
  if (vae_ && parts > vae_parts_) unload_vae();
  if (!vae_) {
    const Weights weights(checkpoints_.vae, device_, dtype());
    vae_ = std::make_shared<VideoVae>(weights, checkpoints_.vae_architecture, parts);
    vae_parts_ = parts;
    weights.warn_about_unused(VideoVae::unused_weights(parts));
  }
  return *vae_;
}

const std::map<std::string, std::string>& Model::fingerprints() const {
  if (fingerprints_.empty() && !setup_.model.random_weights) {
    fingerprints_ = {{"text_encoder", fingerprint(*checkpoints_.t5)},
                     {"transformer", fingerprint(*checkpoints_.transformer)},
                     {"vae", fingerprint(*checkpoints_.vae)}};
  }
  return fingerprints_;
}

std::string Model::vae_fingerprint() const { return fingerprints().empty() ? "" : fingerprints().at("vae"); }

TextIds Pipeline::tokenize(const std::string& prompt, const std::optional<std::string>& negative, int64_t limit) const {
  const int64_t most = std::min(limit, model_.checkpoints().star_architecture.max_text_length);
  bool cut = false;
  const auto encode = [&](const std::string& text, const char* what) {
    const Tokenizer::Encoded encoded = model_.tokenizer().encode(text, most);
    cut = !encoded.cut.empty();
    if (cut) log::warn("{}: longer than {} tokens, cut off: \"{}\"", what, most, shortened(encoded.cut, kShownPrompt));
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
