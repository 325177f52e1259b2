#pragma once
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/evaluate/motion.h"
#include "core/lab/world/scene.h"

namespace faststar {

/// Pixels of the world that are one for the checker, along an edge.
inline constexpr int64_t kSeenScale = 2;

/// What objects stand on, and how it moves.
struct SeenBackground {
  Pattern pattern = Pattern::plain;
  BackgroundColour colour = BackgroundColour::blue;
  Camera camera = Camera::still;
  std::vector<int64_t> shifts;  ///< columns that the picture has moved to the right by, in each of the frames seen
};

/// Knows every background.
class BackgroundReader {
 public:
  BackgroundReader();

  /// The background nearest to frames [9, 3, H/2, W/2] in 0..1 on the CPU; without a pan if nothing speaks for one.
  SeenBackground operator()(const Tensor& frames, ClipPart part) const;

 private:
  Tensor backgrounds_;  // [patterns, colours, 3, H/2, period/2]
};

}  // namespace faststar
