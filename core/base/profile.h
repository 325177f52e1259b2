#pragma once
#include <ATen/record_function.h>

#include <array>
#include <optional>
#include <string_view>

namespace faststar {

/// What the time of a pass goes into.
enum class PassPart {
  linear,     ///< matrix products of embedding, layers and heads
  attention,  ///< softmax(q k^T) v, with the copy of a long context
  reduction,  ///< score, selection, gathering of tokens, partial update or other restoring
  sampling,   ///< guidance, random numbers, bits
  rest,       ///< norms, rotation, activations, resizing of accumulated features, waiting
  exchange,   ///< what the processes of a group tell each other, and waiting for it
};
inline constexpr std::array<std::string_view, 6> kPassPartNames = {"linear",   "attention", "reduction",
                                                                   "sampling", "rest",      "exchange"};
/// The first ones: what a process alone spends time on.
inline constexpr size_t kLonePassParts = 5;

/// Marks the code until the end of its scope as one part of a pass, for whoever records LibTorch's user scopes: its
/// profilers, NVTX, or our own PartTimer. Ranges may nest. Costs one look-up when nobody records.
class ProfileRange {
 public:
  explicit ProfileRange(PassPart part);

 private:
  std::optional<at::RecordFunction> record_;
};

/// The part that a recorded range stands for; none for scopes that are not ours.
std::optional<PassPart> part_of(const at::RecordFunction& range);

}  // namespace faststar
