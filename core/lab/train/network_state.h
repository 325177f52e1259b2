#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/lab/train/optimizer.h"

namespace faststar {

/// A network in training and how far it is.
struct NetworkState {
  OptimizerState optimizer;
  std::string stage;       ///< that it is in
  int64_t steps_done = 0;  ///< of the stage
  double seconds = 0;      ///< of training, all stages together
};

/// `full` continues bit for bit; `portable` has weights and average alone, in bfloat16: small enough to carry to
/// another machine, where the moments grow anew.
enum class StateForm { full, portable };

/// Writes the state as safetensors files `<folder>/<name>-<i>.safetensors` of at most 15 MiB in the portable form,
/// one file in the full one. Former files of that name are replaced. Throws Error(output).
void save_network(const std::filesystem::path& folder, const std::string& name, const ParameterLayout& layout,
                  const NetworkState& state, StateForm form);

/// True when `folder` holds a state of that name.
bool has_network(const std::filesystem::path& folder, const std::string& name);

/// What save_network wrote, on `device`. Throws Error(input) when its files are no state or of
/// different steps, Error(model) when one is missing or damaged.
NetworkState load_network(const std::filesystem::path& folder, const std::string& name, const ParameterLayout& layout,
                          at::Device device);

/// The next stage starts from the average; moments are zero.
void enter_stage(NetworkState& state, const std::string& stage);

}  // namespace faststar
