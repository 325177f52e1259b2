#pragma once
#include <functional>

#include "core/base/progress.h"
#include "core/pipeline/engine.h"
#include "core/pipeline/job.h"
#include "core/pipeline/stage_meter.h"

namespace faststar {

/// What a run finds out before weights load: reads the source, tokenizes, prints the memory plan.
/// Throws what run_generation would throw until then; Error(device) when no plan fits.
void check_generation(Engine& engine, const GenerateJob& job);

/// Makes the outputs of `job` one after the other; `on_file` hears of each as it is finished. A stop that
/// `progress` asks for ends it after the current step with Error(interrupted); finished files stay. Returns what it
/// took.
RunRecord run_generation(Engine& engine, const GenerateJob& job, Progress& progress,
                         const std::function<void(const std::filesystem::path& file)>& on_file = {});

}  // namespace faststar
