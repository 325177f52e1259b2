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

template <>
inline constexpr std::array<std::string_view, 7> kChoiceNames<Shape> = {"ball", "square", "triangle", "star",
                                                                        "ring", "heart",  "cross"};
template <>
inline constexpr std::array<std::string_view, 10> kChoiceNames<ObjectColour> = {
    "red", "orange", "yellow", "green", "blue", "purple", "black", "pink", "brown", "cyan"};
template <>
inline constexpr std::array<std::string_view, 6> kChoiceNames<BackgroundColour> = {"blue",   "green",  "pink",
                                                                                   "yellow", "purple", "gray"};
template <>
inline constexpr std::array<std::string_view, 8> kChoiceNames<Pattern> = {"plain", "gradient", "stripes",  "checker",
                                                                          "dots",  "waves",    "diagonal", "grid"};
template <>
inline constexpr std::array<std::string_view, 3> kChoiceNames<ObjectSize> = {"small", "normal", "big"};
template <>
inline constexpr std::array<std::string_view, 14> kChoiceNames<Motion> = {
    "left",       "right",  "up",     "down", "up left", "up right", "down left",
    "down right", "circle", "bounce", "grow", "shrink",  "spin",     "still"};
template <>
inline constexpr std::array<std::string_view, 3> kChoiceNames<Camera> = {"still", "pan left", "pan right"};

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
