#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/world.h"

namespace faststar {

/// Called with `done` of `total` items; throwing ends the evaluation.
using EvaluationListener = std::function<void(int64_t done, int64_t total)>;

/// The sets of held-out clips. Each test has its own set, and no clip of the training is in any.
enum class HeldOutSet : uint32_t {
  reconstruction,
  bits,
  one_object,
  two_objects,
  foreign_words,
  four_seconds,
  continuation,
  checker,
  study,
  camera_pans,
  one_second,
};

/// Clips that no training has seen, drawn from the whole world and its language, without emphasis.
class HeldOutClips {
 public:
  /// `settings`: shares of second objects, camera pans and foreign words; the emphasis is set to 1.
  HeldOutClips(at::Device device, WorldSettings settings, HeldOutSet set);

  ClipRecord record(int64_t index) const { return world_.draw(seed_, index); }
  std::string prompt(int64_t index) const { return world_.caption(record(index), seed_, index); }
  /// `frames` full frames from `first` on; pixels [1, 3, F, H, W].
  ClipBatch render(const ClipRecord& record, int64_t first, int64_t frames) const;
  /// Single frames: numbers [F] int64 -> [3, F, H, W].
  Tensor stills(const ClipRecord& record, const Tensor& numbers) const;

 private:
  World world_;
  uint64_t seed_;
  at::Device device_;
  ClipRenderer renderer_;
};

}  // namespace faststar
