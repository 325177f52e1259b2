#include "core/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/base/weights/weights.h"
#include "core/config/preset.h"
#include "core/pipeline/warm_up.h"

namespace faststar {
namespace {

template <typename Network>
std::shared_ptr<const Network> borrowed(const Network* network) {
  return {std::shared_ptr<void>(), network};
}

/// What holds while a stage works.
struct StageScope {
  StageScope(const Model& model, Kernels kernels) : device(model.device()), backends(kernels) {}
  c10::InferenceMode inference;
  c10::DeviceGuard device;  ///< kernels launch on the current device
  BackendScope backends;
};

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

/// True for a dry run whose GPU is not here: --vram tells enough of it to plan. Throws Error(device) without --vram.
bool plans_for_absent_gpu(const ResolvedSettings& resolved) {
  const RuntimeConfig& runtime = resolved.settings.config.runtime;
  if (!resolved.plan_only || !runtime.device.value_or("").starts_with("cuda")) return false;
  const auto [gpus, why] = cuda::list_gpus();
  if (!gpus.empty()) return false;
  if (!runtime.vram) {
    fail(ErrorKind::device, fmt::format("--device cuda: {}", why),
         "--vram 24 plans for a GPU of 24 GB that is not here");
  }
  return true;
}

void say_that_gpu_is_absent(const ModelSetup& setup) {
  const bool fp8 = setup.precision == Precision::fp8;
  log::info("no GPU available ({}): planning for one with {:g} GB{}", cuda::list_gpus().why_none, *setup.vram,
            fp8 ? "; fp8 needs compute capability 8.9 or newer" : "");
}

}  // namespace

Precision default_precision(at::Device device) { return device.is_cuda() ? Precision::bf16 : Precision::fp32; }

void check_precision(Precision precision, at::Device device, const std::string& asked) {
  const auto obstacle = precision == Precision::fp8 ? fp8_obstacle(device) : std::nullopt;
  if (!obstacle) return;
  fail(device.is_cpu() ? ErrorKind::usage : ErrorKind::device, fmt::format("{} fp8: {}", asked, *obstacle),
       device.is_cpu() ? "--precision fp32" : "--precision bf16");
}

ModelSetup model_setup(const ResolvedSettings& resolved) {
  const Settings& settings = resolved.settings;
  const RuntimeConfig& runtime = settings.config.runtime;
  const bool absent = plans_for_absent_gpu(resolved);
  const at::Device device = absent ? at::Device(at::kCUDA, 0) : pick_device(runtime.device.value_or(""));
  const auto refuse_on_cpu = [&](const char* name, const std::string& value, const char* hint) {
    if (device.is_cuda()) return;
    fail(ErrorKind::usage,
         fmt::format("{} {}: needs a GPU, but the device is the CPU", settings.origin(name).text, value), hint);
  };
  if (runtime.attention == AttentionBackend::cudnn) refuse_on_cpu("attention", "cudnn", "--attention aten");
  if (runtime.vram) {
    refuse_on_cpu("vram", fmt::format("{:g}", *runtime.vram),
                  resolved.plan_only ? "--device cuda plans for a GPU that is not here" : "leave out --vram");
  }
  if (device.is_cpu() && runtime.precision == Precision::bf16 && !cpu_has_bfloat16()) {
    log::warn("{} bf16: this CPU emulates bf16 with fp32; --precision fp32 is faster",
              settings.origin("precision").text);
  }
  const Precision precision = runtime.precision.value_or(default_precision(device));
  if (!absent) {
    check_precision(precision, device, settings.origin("precision").text);
    check_attention(settings, device, dtype_of(precision));
  }
  return {.model = resolved.model,
          .device = device.str(),
          .precision = precision,
          .linears = linears_of(runtime),
          .kernels = runtime.kernels,
          .vram = runtime.vram,
          .absent_gpu = absent,
          .processes = resolved.processes,
          .group = resolved.group};
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
      device_(setup_.absent_gpu ? at::Device(setup_.device) : pick_device(setup_.device)),
      guard_(setup_.absent_gpu ? at::Device(at::kCPU) : device_),
      checkpoints_(open_model(setup_.model)) {
  if (setup_.absent_gpu) say_that_gpu_is_absent(setup_);
  checkpoints_.star_architecture.linears = setup_.linears;
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

Weights Model::begin_loading(const std::shared_ptr<const TensorSource>& source, const TensorRequests& requests,
                             const std::vector<FusedLayers>& fused) const {
  if (source->makes_any()) return {source, device_, dtype()};
  return {source, device_, dtype(), std::make_shared<WeightLoader>(*source, requests, device_, fused)};
}

Weights Model::begin_transformer() const {
  return begin_loading(checkpoints_.transformer, transformer_requests(checkpoints_, dtype()),
                       fused_layers(checkpoints_.star_architecture));
}

template <typename Network, typename... Arguments>
std::shared_ptr<const Network> Model::finish_loading(const char* part, const Weights& weights,
                                                     const std::vector<std::string>& unused,
                                                     const Arguments&... arguments) {
  auto network = std::make_shared<const Network>(weights, arguments...);
  weights.check_loaded();
  weights.warn_about_unused(unused);
  if (weights.loader()) {
    load_times_[part] = weights.loader()->times();
    release_cached_memory(device_);  // what the loader's stream had for conversions is of no use to another one
  }
  return network;
}

const T5Encoder& Model::text_encoder() {
  if (!text_encoder_) {
    const Weights weights = begin_loading(checkpoints_.t5, text_encoder_requests(checkpoints_, dtype()));
    text_encoder_ = finish_loading<T5Encoder>("text encoder", weights, kUnusedT5Tensors, checkpoints_.t5_architecture);
  }
  return *text_encoder_;
}

void Model::load_transformer_ahead() {
  const bool can = device_.is_cuda() && !setup_.model.random_weights;
  if (can && !transformer_ && !coming_transformer_) coming_transformer_ = begin_transformer();
}

void Model::warm_up_ahead(const Schedule& schedule, const GenerationSettings& settings) {
  const bool can = device_.is_cuda() && !setup_.model.random_weights && setup_.kernels == Kernels::automatic;
  if (!can || transformer_ || warming_.joinable()) return;
  const WarmUpWork work{.star = checkpoints_.star_architecture,
                        .vae = checkpoints_.vae_architecture,
                        .device = device_,
                        .dtype = dtype(),
                        .schedule = schedule,
                        .settings = settings};
  try {
    warming_ = std::jthread([work] { warm_up(work); });
  } catch (const std::system_error&) {  // no thread: the first passes take longer
  }
}

const StarTransformer& Model::transformer() {
  if (!transformer_) {
    const Weights weights = coming_transformer_ ? *std::exchange(coming_transformer_, {}) : begin_transformer();
    transformer_ =
        finish_loading<StarTransformer>("transformer", weights, kUnusedStarTensors, checkpoints_.star_architecture);
    if (warming_.joinable()) {
      warming_.join();
      release_cached_memory(device_);  // what its stream had is of no use to another one
    }
  }
  return *transformer_;
}

bool Model::unload_for_decode() {
  const bool can = checkpoints_.transformer && (transformer_ || text_encoder_);
  if (!can) return false;
  unload_transformer();
  unload_text_encoder();
  return true;
}

const VideoVae& Model::vae(VaeParts parts) {
  if (vae_ && parts > vae_parts_) unload_vae();
  if (!vae_) {
    const Weights weights = begin_loading(checkpoints_.vae, vae_requests(checkpoints_, dtype(), parts));
    vae_ =
        finish_loading<VideoVae>("vae", weights, VideoVae::unused_weights(parts), checkpoints_.vae_architecture, parts);
    vae_parts_ = parts;
  }
  return *vae_;
}

const RatesFile& Model::rates_file() const {
  if (!rates_file_) rates_file_.emplace();
  return *rates_file_;
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
  TextFeatures features{.cond = group_->broadcast(encoder(ids.prompt)), .uncond = {}};
  if (ids.negative) features.uncond = group_->broadcast(encoder(*ids.negative));
  return features;
}

TextFeatures Pipeline::encode_text(const std::string& text, int64_t limit) const {
  return encode_text(tokenize(text, std::nullopt, limit));
}

Tensor Pipeline::encode(const Tensor& pixels, const EncodeOptions& options) const {
  const StageScope scope(model_, kernels_);
  return group_->broadcast(model_.vae(VaeParts::encoder_and_decoder).encode(pixels.to(device()), options));
}

Tensor Pipeline::generate(const Schedule& schedule, const GenerationSettings& settings, const GenerationInput& input,
                          GenerationObserver* observer) const {
  const StageScope scope(model_, kernels_);
  return faststar::generate(model_.transformer(), schedule, settings, input, observer, group_.get());
}

void Pipeline::decode(const Tensor& codes, const std::function<void(const Tensor& frames)>& on_frames,
                      const DecodeOptions& options) const {
  const StageScope scope(model_, kernels_);
  model_.vae(VaeParts::decoder).decode(codes.to(device()), on_frames, options, group_.get());
}

Tensor Pipeline::decode(const Tensor& codes) const {
  std::vector<Tensor> slices;
  decode(codes, [&](const Tensor& frames) {
    if (frames.defined()) slices.push_back(frames[0].to(at::kFloat));
  });
  return slices.empty() ? Tensor() : at::cat(slices, 1);
}

}  // namespace faststar
