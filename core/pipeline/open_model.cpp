#include "core/pipeline/open_model.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/weights/checkpoint.h"
#include "core/base/weights/random_weights.h"
#include "core/base/weights/weights.h"
#include "core/config/installation.h"
#include "core/model/star/transformer.h"
#include "core/model/vae/video_vae.h"

namespace faststar {
namespace {

/// Random weights are the same run after run; what they draw depends on the run's own seed alone.
constexpr uint64_t kRandomWeightsSeed = 0;

OpenModel open_random_model(const ModelFolder& model) {
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
          star_architecture_of(*sizes),
          vae_architecture_of(sizes->vae),
          t5_architecture_of(sizes->text_encoder),
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

OpenModel open_checkpoints(const ModelLayout& layout) {
  OpenModel open{.transformer = open_checkpoint(layout.transformer),
                 .vae = open_checkpoint(layout.vae),
                 .t5 = open_checkpoint(layout.t5),
                 .vocabulary = layout.vocabulary()};
  open.star_architecture = check_transformer(open.transformer);
  open.vae_architecture = check_vae(open.vae);
  open.t5_architecture = check_text_encoder(open.t5, layout.t5);
  return open;
}

}  // namespace

StarArchitecture star_architecture_of(const ModelSizes& sizes) {
  const TransformerSizes& transformer = sizes.transformer;
  return {.width = transformer.width,
          .heads = transformer.heads,
          .kv_heads = transformer.kv_heads,
          .head_dim = transformer.head_dim,
          .ffn_width = transformer.ffn_width,
          .layers = transformer.layers,
          .chunks = transformer.chunks,
          .text_width = sizes.text_encoder.width,
          .text_rows = transformer.text_rows};
}

T5Architecture t5_architecture_of(const TextEncoderSizes& sizes) {
  return {.width = sizes.width,
          .heads = sizes.heads,
          .head_dim = sizes.head_dim,
          .ffn_width = sizes.ffn_width,
          .layers = sizes.layers,
          .vocabulary = sizes.vocabulary};
}

VaeArchitecture vae_architecture_of(const VaeSizes& sizes) {
  VaeArchitecture arch;
  std::copy_n(sizes.channels.begin(), arch.block_out_channels.size(), arch.block_out_channels.begin());
  return arch;
}

OpenModel open_model(const ModelFolder& model) {
  OpenModel open = model.random_weights ? open_random_model(model) : open_checkpoints(model.layout);
  if (open.star_architecture.text_width != open.t5_architecture.width) {
    fail(ErrorKind::model,
         fmt::format("{}: expected a text encoder of width {}, {} has {}", open.transformer->origin(),
                     open.star_architecture.text_width, open.t5->origin(), open.t5_architecture.width));
  }
  return open;
}

}  // namespace faststar
