#pragma once
#include "core/lab/world/scene.h"

/// How objects move. Motions without a goal (circle, bounce, spin) repeat for ever. The others run on eased time:
/// at constant speed for the 2 seconds of a short clip, then slowing down to rest at 4 seconds, so that a long
/// clip's second half still shows the motion and nothing leaves the frame.
namespace faststar {

inline constexpr double kShortClipSeconds = 2;
/// Eased time at 4 seconds and later: half the way of the first two is added.
inline constexpr double kLastEasedTime = 3;

/// Turns that circling objects make in a second, those of spinning ones, and hops of bouncing ones. A latent, four
/// frames, turns a spinning object by 18 degrees: stars come back after four, squares and crosses after five.
inline constexpr double kTurnsPerSecond = 0.5;
inline constexpr double kSpinsPerSecond = 0.2;
inline constexpr double kHopsPerSecond = 1;

/// How far a pan moves the picture: pixels a frame, to the right (+) or to the left (-).
int64_t pan_pixels(Camera camera);

/// The part of the frame that an object stays in: all of it, or its half when there are two.
enum class MotionStage { whole, left_half, right_half };

/// Path and size of an object, in frame heights and seconds.
struct Trajectory {
  double velocity_x = 0;  ///< of eased time
  double velocity_y = 0;
  double drift = 0;   ///< of the picture under the camera, along x: at constant speed
  double circle = 0;  ///< radius of the path; clockwise, from its rightmost point
  double hop = 0;     ///< height of a bounce; the start is on the ground
  double radius = 0;  ///< of the object, in the first frame
  double growth = 0;  ///< of the radius, of eased time
  double spin = 0;    ///< radians a second, clockwise
};

/// The path of `object` on `stage` in the picture of `camera`: the start position does not matter.
Trajectory trajectory_of(const SceneObject& object, MotionStage stage, Camera camera);

/// Where the centre may be in the first frame so that the object stays on its stage for 4 seconds. An empty
/// range has equal ends, in the middle of what there is.
struct StartRange {
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;
};
StartRange start_range(const SceneObject& object, MotionStage stage, Camera camera);

/// The stage of object `index` of `record`.
MotionStage stage_of(const ClipRecord& record, size_t index);

}  // namespace faststar
