#pragma once
#include <filesystem>
#include <memory>

#include "core/base/weights/weights.h"
#include "core/config/model_folder.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/video_vae.h"

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

/// Opens the files of a model, or the generator of random weights in their place. Throws Error(model) when a file is
/// damaged or the parts do not fit together.
Checkpoints open_model(const ModelFolder& model);

/// The tensors that each network takes in the precision `dtype`, as it takes them. No data is read.
TensorRequests transformer_requests(const Checkpoints& checkpoints, at::ScalarType dtype);
TensorRequests text_encoder_requests(const Checkpoints& checkpoints, at::ScalarType dtype);
TensorRequests vae_requests(const Checkpoints& checkpoints, at::ScalarType dtype, VaeParts parts);

}  // namespace faststar
