#pragma once
#include "core/config/resolve.h"
#include "core/engine/job.h"

namespace faststar {

/// Checks everything that can be checked before weights load and decides what was left open. `resolved` becomes
/// what --save-config writes: prompt text and seed are filled in. Throws Error of the kind that the exit code
/// names: usage, input (prompt file), device, output.
GenerateJob plan_job(Task task, ResolvedSettings& resolved);

/// The same for one output whose seed and files are chosen already; they are replaced when they exist.
GenerateJob plan_job_for(Task task, ResolvedSettings& resolved, JobOutput output);

/// The model and how it is to run. Throws Error(device), and Error(usage) for what the device cannot do.
EngineSetup plan_engine(const ResolvedSettings& resolved);

/// The model's name and where it is from.
std::string describe_model(const ModelFolder& model);

/// The lines that tell a user what will run: model, prompt as sent, pixels, seed, device, files.
std::vector<std::string> describe_job(const GenerateJob& job);

}  // namespace faststar
