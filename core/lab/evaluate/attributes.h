#pragma once
#include <optional>
#include <vector>

#include "core/base/tensor.h"
#include "core/lab/evaluate/background_reader.h"
#include "core/lab/evaluate/motion.h"
#include "core/lab/evaluate/outline.h"
#include "core/lab/world/scene.h"

/// Reads off a clip what its caption should say, with no learned part: the judge of what a model makes.
namespace faststar {

/// An object as the checker sees it.
struct SeenObject {
  ObjectColour colour = ObjectColour::red;
  std::optional<Shape> shape;
  std::optional<Motion> motion;
};

/// A clip as the checker sees it.
struct SeenScene {
  Pattern pattern = Pattern::plain;
  BackgroundColour background = BackgroundColour::blue;
  Camera camera = Camera::still;
  int count = 0;                    ///< objects, in most frames
  bool steady = false;              ///< that count in every frame
  std::vector<SeenObject> objects;  ///< the largest two, the left one first
};

/// Looks at nine frames, at half size.
class AttributeChecker {
 public:
  /// clip [3, F, H, W] floating-point in about [-1, 1] on any device: that part of a clip, in full frames of the world.
  SeenScene operator()(const Tensor& clip, ClipPart part = ClipPart::first_half) const {
    return read(look(clip), part);
  }

  /// The two steps of that: what it looks at of a clip, nine frames at half size in 0..1, [9, 3, H/2, W/2] float32 on
  /// the CPU; and what it sees there, which any thread may ask.
  static Tensor look(const Tensor& clip);
  SeenScene read(const Tensor& frames, ClipPart part) const;

 private:
  OutlineReader outlines_;
  BackgroundReader backgrounds_;
};

/// Which attributes of a clip are right.
struct AttributeScore {
  bool background = false;  ///< colour and pattern
  bool camera = false;
  bool count = false;
  bool colour = false;  ///< of every object; so are shape and motion
  bool shape = false;
  bool motion = false;
  bool steady = false;  ///< the count never changes; no part of all()
  bool all() const { return background && camera && count && colour && shape && motion; }
};

/// Compares what is seen with what was asked for. With one object asked for and several seen, an attribute is right
/// if any of them has it; with two asked for and another number seen, no object attribute is.
AttributeScore score_attributes(const SeenScene& seen, const ClipRecord& asked);

}  // namespace faststar
