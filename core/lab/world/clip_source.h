#pragma once
#include <cstdint>
#include <string>

#include "core/lab/world/clip_renderer.h"
#include "core/lab/world/scene.h"
#include "core/lab/world/world_settings.h"

namespace faststar {

/// Seeds of clips to train on and of clips to judge by: whatever `number`, the two never draw from the same
/// stream of random numbers.
uint64_t training_seed(uint32_t number);
uint64_t held_out_seed(uint32_t number);

/// The procedural world: scenes and their captions, drawn by key. Every draw is a pure function of the settings
/// and its arguments, so any clip of any run can be made again.
class World {
 public:
  explicit World(WorldSettings settings) : settings_(settings) {}

  /// Scene `index` of the stream `seed`.
  ClipRecord draw(uint64_t seed, int64_t index) const;

  /// A caption that says what `record` shows. (seed, index) choose the wording.
  std::string caption(const ClipRecord& record, uint64_t seed, int64_t index) const;

 private:
  WorldSettings settings_;
};

}  // namespace faststar
