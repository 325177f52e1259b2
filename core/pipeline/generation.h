#pragma once
#include <functional>

#include "core/base/progress.h"
#include "core/pipeline/plan.h"
#include "core/pipeline/stage_meter.h"

namespace faststar {

/// Makes the outputs of `plan` one after the other; `on_file` hears of each as it is finished. A stop that
/// `progress` asks for ends it after the current step with Error(interrupted); finished files stay. Returns what it
/// took.
RunRecord run_generation(Model& model, const Plan& plan, Progress& progress,
                         const std::function<void(const std::filesystem::path& file)>& on_file = {});

}  // namespace faststar
