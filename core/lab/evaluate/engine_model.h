#pragma once
#include "core/config/config.h"
#include "core/lab/evaluate/tested_model.h"
#include "core/pipeline/engine.h"

namespace faststar {

/// How `config` has a model generate; the seed is not looked at.
GenerationSettings generation_of(const Config& config);

/// The model of `engine`, its parts loaded, as `config` has it generate. Refers to both.
TestedModel tested_model(Engine& engine, const Config& config);

}  // namespace faststar
