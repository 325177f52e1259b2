#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/config/fields.h"

/// Scenes of the procedural world, in the words of their captions. Lengths are in frame heights.
namespace faststar {

/// A full frame in pixels, and frames per second.
inline constexpr int64_t kWorldHeight = 192;
inline constexpr int64_t kWorldWidth = 336;
inline constexpr double kWorldFps = 16;

enum class Shape { ball, square, triangle, star, ring, heart, cross };
enum class ObjectColour { red, orange, yellow, green, blue, purple, black, pink, brown, cyan };
enum class BackgroundColour { blue, green, pink, yellow, purple, gray };
enum class Pattern { plain, gradient, stripes, checker, dots, waves, diagonal, grid };
enum class ObjectSize { small, normal, big };
enum class Motion {
  left,
  right,
  up,
  down,
  up_left,
  up_right,
  down_left,
  down_right,
  circle,
  bounce,
  grow,
  shrink,
  spin,
  still,
};
/// True for motions that are a change of size.
constexpr bool changes_size(Motion motion) { return motion == Motion::grow || motion == Motion::shrink; }

/// Where the camera turns; everything in the picture moves the other way.
enum class Camera { still, pan_left, pan_right };

constexpr auto choice_words(Shape) { return word_list("ball", "square", "triangle", "star", "ring", "heart", "cross"); }
constexpr auto choice_words(ObjectColour) {
  return word_list("red", "orange", "yellow", "green", "blue", "purple", "black", "pink", "brown", "cyan");
}
constexpr auto choice_words(BackgroundColour) { return word_list("blue", "green", "pink", "yellow", "purple", "gray"); }
constexpr auto choice_words(Pattern) {
  return word_list("plain", "gradient", "stripes", "checker", "dots", "waves", "diagonal", "grid");
}
constexpr auto choice_words(ObjectSize) { return word_list("small", "normal", "big"); }
constexpr auto choice_words(Motion) {
  return word_list("left", "right", "up", "down", "up left", "up right", "down left", "down right", "circle", "bounce",
                   "grow", "shrink", "spin", "still");
}
constexpr auto choice_words(Camera) { return word_list("still", "pan left", "pan right"); }

/// One moving object. Its path follows from this and from whether it shares the frame (core/lab/world/trajectory.h).
struct SceneObject {
  Shape shape = Shape::ball;
  ObjectColour colour = ObjectColour::red;
  ObjectSize size = ObjectSize::normal;
  Motion motion = Motion::still;
  double x = 0;  ///< centre in the first frame, from the left edge
  double y = 0;  ///< centre in the first frame, from the top
};

/// One clip: all that determines its pixels at any time.
struct ClipRecord {
  Pattern pattern = Pattern::plain;
  BackgroundColour background = BackgroundColour::blue;
  Camera camera = Camera::still;
  std::vector<SceneObject> objects;  ///< one; or two, the left one first
};

}  // namespace faststar
