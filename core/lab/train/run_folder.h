#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/lab/train/training_step.h"
#include "core/lab/world/world.h"

namespace faststar {

/// A network in training, and its progress.
struct NetworkState {
  OptimizerState optimizer;
  std::string phase;       ///< the current one
  int64_t steps_done = 0;  ///< of the phase
  double seconds = 0;      ///< of training, all phases together
};

/// full: resumes bit for bit. portable: weights and average alone, in bfloat16, small enough to carry to another
/// machine, where the moments start from zero.
enum class StateForm { full, portable };

/// Writes the state as safetensors files `<folder>/<name>-<i>.safetensors` of at most 15 MiB in the portable form,
/// one file in the full one. Former files of that name are replaced. Throws Error(output).
void save_network(const std::filesystem::path& folder, const std::string& name, const ParameterLayout& layout,
                  const NetworkState& state, StateForm form);

/// True when `folder` holds a state of that name.
bool has_network(const std::filesystem::path& folder, const std::string& name);

/// Reads what save_network wrote, to `device`. Throws Error(input) when the files are no state or of different steps,
/// Error(model) when one is missing or damaged.
NetworkState load_network(const std::filesystem::path& folder, const std::string& name, const ParameterLayout& layout,
                          at::Device device);

/// Starts the next phase from the average, with zero moments.
void enter_phase(NetworkState& state, const std::string& phase);

/// The files of a training run: state/ (to resume exactly), pack/ (to resume elsewhere), vocabulary/, samples/,
/// log.jsonl, loss.svg and model/.
class RunFolder {
 public:
  /// Creates missing folders. Throws Error(output).
  explicit RunFolder(std::filesystem::path folder);

  std::filesystem::path log() const { return folder_ / "log.jsonl"; }
  std::filesystem::path loss_plot() const { return folder_ / "loss.svg"; }
  std::filesystem::path samples() const { return folder_ / "samples"; }
  std::filesystem::path model() const { return model_of(folder_); }
  /// The model of the run in `folder`.
  static std::filesystem::path model_of(const std::filesystem::path& folder) { return folder / "model"; }
  std::filesystem::path vocabulary() const { return folder_ / "vocabulary" / "spiece.model"; }

  /// The exact state of a network, else its portable one; nothing when neither is there. Throws as load_network.
  std::optional<NetworkState> load(const std::string& name, const ParameterLayout& layout, at::Device device) const;
  /// Writes both forms. Throws Error(output).
  void save(const std::string& name, const ParameterLayout& layout, const NetworkState& state) const;

  /// Provides the vocabulary unless it is there: from the pack, else from `given`, else a new one of `pieces` pieces.
  /// The pack gets a copy.
  void provide_vocabulary(const std::optional<std::filesystem::path>& given, const WorldSettings& world,
                          int64_t pieces) const;

 private:
  std::filesystem::path packed_vocabulary() const { return folder_ / "pack" / "spiece.model"; }

  std::filesystem::path folder_;
};

}  // namespace faststar
