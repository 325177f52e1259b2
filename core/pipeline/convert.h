#pragma once
#include <cstdint>
#include <filesystem>

#include "core/base/progress.h"
#include "core/config/model_folder.h"
#include "core/model/layers.h"

namespace faststar {

/// How to convert a model.
struct ConversionPlan {
  std::filesystem::path folder;  ///< to write
  Existing existing = Existing::refuse;
  /// fp8: the matrices in the transformer's layers in E4M3 with their scales (see scale_name), as a run rounds them.
  LinearPrecision linears = LinearPrecision::backbone;
};

/// Writes a model folder whose files load fast, and a model of which gives the same codes as `model` in the same
/// precision: of each network the tensors that inference needs, no wider than it takes them in bfloat16, q, k and v,
/// and gate and up, in one tensor each; preset and tokenizer are copied. The folder appears when it is complete; one
/// that is replaced must be a converted model too. Returns the bytes of the files. Throws Error(model) when the model
/// is damaged or converted already, Error(output) when the folder exists or cannot be written, or when the disk has too
/// little room.
int64_t convert_model(const ModelFolder& model, const ConversionPlan& plan, Progress& progress);

}  // namespace faststar
