#pragma once
#include <filesystem>
#include <functional>

#include "core/pipeline/run_stages.h"

namespace faststar {

/// Makes the outputs of `plan` one after the other, or decodes its saved codes again; `on_file` is called with each as
/// it is finished. A stop that `progress` asks for ends it after the current step with Error(interrupted); finished
/// files stay. Returns what it took.
Result run_plan(const Pipeline& pipeline, const Plan& plan, Progress& progress,
                const std::function<void(const std::filesystem::path& file)>& on_file = {});

}  // namespace faststar
