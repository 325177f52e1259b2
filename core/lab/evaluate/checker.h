#pragma once
#include <optional>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/evaluate/blobs.h"
#include "core/lab/evaluate/motion.h"
#include "core/lab/world/scene.h"

namespace faststar {

/// Downscaling of the frames that the checker reads.
inline constexpr int64_t kSeenScale = 2;

/// The background, and how the camera moves.
struct SeenBackground {
  Pattern pattern = Pattern::plain;
  BackgroundColour colour = BackgroundColour::blue;
  Camera camera = Camera::still;
  std::vector<int64_t> shifts;  ///< shift of the picture to the right in each frame read, in columns
};

/// Recognises the background by comparison with every empty one.
class BackgroundReader {
 public:
  BackgroundReader();

  /// The background nearest to frames [9, 3, H/2, W/2] in 0..1 on the CPU; a pan only where it matches clearly better.
  SeenBackground operator()(const Tensor& frames, ClipPart part) const;

 private:
  Tensor backgrounds_;  // [patterns, colours, 3, H/2, period/2]
};

/// An object as seen by the checker.
struct SeenObject {
  ObjectColour colour = ObjectColour::red;
  std::optional<Shape> shape;
  std::optional<Motion> motion;
};

/// A clip as seen by the checker.
struct SeenScene {
  Pattern pattern = Pattern::plain;
  BackgroundColour background = BackgroundColour::blue;
  Camera camera = Camera::still;
  int count = 0;                    ///< of objects, in most frames
  bool steady = false;              ///< the same count in every frame
  std::vector<SeenObject> objects;  ///< the largest two, the left one first
};

/// Reads the attributes of a caption off a clip, without any learned part. Uses nine frames at half size.
class AttributeChecker {
 public:
  /// clip [3, F, H, W] floating-point in about [-1, 1] on any device: that part of a clip, in full frames of the world.
  SeenScene operator()(const Tensor& clip, ClipPart part = ClipPart::first_half) const {
    return read(look(clip), part);
  }

  /// The two steps: the nine frames of a clip at half size in 0..1, [9, 3, H/2, W/2] float32 on the CPU; and the scene
  /// in them, which any thread may call.
  static Tensor look(const Tensor& clip);
  SeenScene read(const Tensor& frames, ClipPart part) const;

 private:
  ShapeReader shapes_;
  BackgroundReader backgrounds_;
};

}  // namespace faststar
