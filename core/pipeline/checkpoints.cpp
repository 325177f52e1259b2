#include "core/pipeline/checkpoints.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

#include "core/base/error.h"

namespace faststar {
namespace {

/// Random weights are the same run after run; what they draw depends on the run's own seed alone.
constexpr uint64_t kRandomWeightsSeed = 0;

Checkpoints open_random_model(const ModelFolder& model) {
  const ModelSizes& sizes = model.preset.architecture.value();  // resolve_model saw to it
  const auto source = make_random_weights(kRandomWeightsSeed);
  const auto own_vocabulary = model.layout.vocabulary();
  std::error_code ignored;
  const bool has_vocabulary = std::filesystem::is_regular_file(own_vocabulary, ignored);
  return {source,
          source,
          source,
          sizes.transformer,
          sizes.vae,
          sizes.text_encoder,
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
  bool makes_any() const override { return source_->makes_any(); }

 private:
  std::shared_ptr<const TensorSource> source_;
};

Weights shapes_of(const std::shared_ptr<const TensorSource>& source, at::ScalarType dtype = at::kFloat) {
  return {std::make_shared<ShapesOnly>(source), at::kMeta, dtype};
}

/// What a network of this size asks for when it is made.
template <typename Network, typename... Arguments>
TensorRequests requests_of(const Weights& shapes, const Arguments&... arguments) {
  const Network made(shapes, arguments...);
  return shapes.requests();
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

Checkpoints open_model(const ModelFolder& model) {
  Checkpoints open = model.random_weights ? open_random_model(model) : open_checkpoints(model.layout);
  open.star_architecture.norm_weights = model.preset.norm_weights;
  if (open.star_architecture.text_width != open.t5_architecture.hidden_size) {
    fail(ErrorKind::model,
         fmt::format("{}: expected a text encoder of width {}, {} has {}", open.transformer->origin(),
                     open.star_architecture.text_width, open.t5->origin(), open.t5_architecture.hidden_size));
  }
  return open;
}

TensorRequests transformer_requests(const Checkpoints& checkpoints, at::ScalarType dtype) {
  return requests_of<StarTransformer>(shapes_of(checkpoints.transformer, dtype), checkpoints.star_architecture);
}

TensorRequests text_encoder_requests(const Checkpoints& checkpoints, at::ScalarType dtype) {
  return requests_of<T5Encoder>(shapes_of(checkpoints.t5, dtype), checkpoints.t5_architecture);
}

TensorRequests vae_requests(const Checkpoints& checkpoints, at::ScalarType dtype, VaeParts parts) {
  return requests_of<VideoVae>(shapes_of(checkpoints.vae, dtype), checkpoints.vae_architecture, parts);
}

}  // namespace faststar
