#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/lab/train/network_state.h"
#include "core/lab/world/world_settings.h"

namespace faststar {

/// The files of a training run: state/ (to go on exactly), pack/ (to go on elsewhere), vocabulary/, samples/,
/// log.jsonl, loss.svg and model/.
class RunFolder {
 public:
  /// Makes what is missing of it. Throws Error(output).
  explicit RunFolder(std::filesystem::path folder);

  std::filesystem::path log() const { return folder_ / "log.jsonl"; }
  std::filesystem::path loss_plot() const { return folder_ / "loss.svg"; }
  std::filesystem::path samples() const { return folder_ / "samples"; }
  std::filesystem::path model() const { return folder_ / "model"; }
  std::filesystem::path vocabulary() const { return folder_ / "vocabulary" / "spiece.model"; }

  /// The exact state of a network, else its portable one; nothing when neither is there. Throws as load_network.
  std::optional<NetworkState> load(const std::string& name, const ParameterLayout& layout, at::Device device) const;
  /// Writes both forms. Throws Error(output).
  void save(const std::string& name, const ParameterLayout& layout, const NetworkState& state) const;

  /// Puts the vocabulary in its place, unless it is there: the pack's, else `given`, else a new one of so many pieces.
  /// The pack gets a copy.
  void provide_vocabulary(const std::optional<std::filesystem::path>& given, const WorldSettings& world,
                          int64_t pieces) const;

 private:
  std::filesystem::path packed_vocabulary() const { return folder_ / "pack" / "spiece.model"; }

  std::filesystem::path folder_;
};

}  // namespace faststar
