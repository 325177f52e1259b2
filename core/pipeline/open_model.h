#pragma once
#include <filesystem>
#include <memory>

#include "core/base/weights/tensor_source.h"
#include "core/config/model_folder.h"
#include "core/model/star/architecture.h"
#include "core/model/text/t5.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// The three checkpoints of a model, opened: sizes are known, no weight is loaded.
struct OpenModel {
  std::shared_ptr<const TensorSource> transformer;
  std::shared_ptr<const TensorSource> vae;
  std::shared_ptr<const TensorSource> t5;
  StarArchitecture star_architecture;
  VaeArchitecture vae_architecture;
  T5Architecture t5_architecture;
  std::filesystem::path vocabulary;  ///< spiece.model
};

/// The architectures that a preset describes.
StarArchitecture star_architecture_of(const ModelSizes& sizes);
T5Architecture t5_architecture_of(const TextEncoderSizes& sizes);
VaeArchitecture vae_architecture_of(const VaeSizes& sizes);

/// The sizes of a checkpoint. Throw Error(model) naming the first tensor that is missing or has another shape than
/// the layers need. No data is read.
StarArchitecture check_transformer(const std::shared_ptr<const TensorSource>& source);
VaeArchitecture check_vae(const std::shared_ptr<const TensorSource>& source);
T5Architecture check_text_encoder(const std::shared_ptr<const TensorSource>& source,
                                  const std::filesystem::path& folder);

/// Opens what `model` names, or, for random weights, takes the sizes of its preset, and checks every shape.
/// Throws Error(model) when a file is damaged or the three parts do not fit together.
OpenModel open_model(const ModelFolder& model);

}  // namespace faststar
