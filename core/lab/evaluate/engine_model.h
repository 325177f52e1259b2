#pragma once
#include "core/config/config.h"
#include "core/lab/evaluate/tested_model.h"
#include "core/pipeline/request.h"

namespace faststar {

/// `model` with its parts loaded, as `config` has it generate. Refers to both.
TestedModel tested_model(Model& model, const Config& config);

}  // namespace faststar
