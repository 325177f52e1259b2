#pragma once
#include "core/config/resolve.h"
#include "core/pipeline/job.h"

namespace faststar {

/// Checks everything that can be checked before weights load and decides what was left open. `resolved` becomes
/// what --save-config writes: prompt text and seed are filled in. Throws Error of the kind that the exit code
/// names: usage, input (prompt file), device, output.
GenerateJob plan_job(Task task, ResolvedSettings& resolved);

/// The same for many prompts: a job without prompt and outputs, and what each prompt then adds.
GenerateJob plan_shared(Task task, ResolvedSettings& resolved);
/// Sets the prompt, a checked_prompt(), and what the model gets for it.
void set_prompt(GenerateJob& job, const std::string& prompt, const Config& config);
/// A random seed after which `count` - 1 more fit.
int64_t random_seed(int count);
/// From the given or a random first seed on, `generate.count` of them; fills in `sampling.seed`.
std::vector<int64_t> choose_seeds(Settings& settings);
/// Throws Error(usage) when the name of a file does not fit what `job` puts into it.
void check_format(const GenerateJob& job, const std::filesystem::path& file);
/// JSON of all that remakes the file of `job` with this seed, for its metadata.
std::string output_settings(const GenerateJob& job, Config config, int64_t seed);

/// The model and how it is to run. Throws Error(device), and Error(usage) for what the device cannot do.
EngineSetup plan_engine(const ResolvedSettings& resolved);

/// The model's name and where it is from.
std::string describe_model(const ModelFolder& model);

/// The lines that tell a user what will run: model, prompt as sent, pixels, seed, device, files.
std::vector<std::string> describe_job(const GenerateJob& job);

}  // namespace faststar
