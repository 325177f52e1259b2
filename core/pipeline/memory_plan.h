#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/pipeline/workload.h"

namespace faststar {

/// Which weights are on the device at a time: speed against memory. The result is the same for any.
enum class Residency {
  everything,  ///< text encoder, transformer and VAE: nothing loads twice, for many prompts
  generators,  ///< the text encoder leaves after use; transformer and VAE stay
  one_part,    ///< each part alone; the transformer loads again for the next video
};

/// How a run uses memory.
struct MemoryMode {
  Residency residency = Residency::generators;
  DecodeOptions decode;
};

/// Most bytes that tensors hold on the device during each stage, weights included.
struct MemoryPlan {
  MemoryMode mode;
  int64_t text = 0;     ///< text encoder and its pass
  int64_t source = 0;   ///< encoding the source; 0 without one
  int64_t tokens = 0;   ///< keys and values, the largest pass
  int64_t decode = 0;   ///< the largest slice of the VAE
  int64_t weights = 0;  ///< all that a run reads from disk

  int64_t peak() const;
  /// "25.1 GB (text 2.6, tokens 25.1, decode 20.3; weights 17.9)", GB = 10^9 bytes.
  std::string text_line() const;
};

MemoryPlan plan_memory(const Workload& work, const MemoryMode& mode);

/// What a run may use.
struct MemoryBudget {
  Residency most = Residency::generators;  ///< what it would keep on the device if there is room
  std::optional<double> vram;              ///< --vram in GB, the driver's own memory included; none: all that is free
};

/// The fastest plan that fits on the device as it is now and in the budget. Throws Error(device) naming the
/// smallest need and the supply when none does.
MemoryPlan choose_memory_plan(const Workload& work, const MemoryBudget& budget);

/// The same for decoding alone: only the VAE and the schedule of `work` count.
MemoryPlan choose_decode_plan(const Workload& work, const MemoryBudget& budget);

/// Bytes of host memory that are free, in the machine and in the control group of this process, or that this process
/// holds already. Page cache counts as free, ours too: mapped files are dropped and read again. `root` is where /proc
/// and /sys are.
int64_t usable_host_bytes(const std::filesystem::path& root = "/");

}  // namespace faststar
