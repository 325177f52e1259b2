#include "core/lab/world/trajectory.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace faststar {
namespace {

constexpr double kAspect = double{kWorldWidth} / double{kWorldHeight};
constexpr double kMargin = 0.02;  ///< that stays free at the edges
constexpr double kLongClipSeconds = 4;

struct Bounds {
  double left, right;
};

Bounds bounds_of(MotionStage stage) {
  if (stage == MotionStage::left_half) return {0, kAspect / 2};
  if (stage == MotionStage::right_half) return {kAspect / 2, kAspect};
  return {0, kAspect};
}

/// The farthest point of a shape of radius 1 from its centre; of a square that does not turn, along the axes.
double extent(Shape shape, Motion motion) {
  switch (shape) {
    case Shape::square: return motion == Motion::spin ? 1.22 : 0.86;
    case Shape::triangle: return 1.12;
    case Shape::star: return 1.2;
    case Shape::heart: return 1.1;
    case Shape::ball:
    case Shape::ring:
    case Shape::cross: return 1.01;
  }
  return 1;
}

double radius_of(ObjectSize size, MotionStage stage) {
  if (stage != MotionStage::whole) return .17;
  return size == ObjectSize::small ? .15 : size == ObjectSize::big ? .26 : .21;
}

/// Smallest and largest radius of what grows or shrinks.
Bounds growth_bounds(MotionStage stage) { return stage == MotionStage::whole ? Bounds{.10, .30} : Bounds{.09, .20}; }

double largest_radius(const SceneObject& object, MotionStage stage) {
  return changes_size(object.motion) ? growth_bounds(stage).right : radius_of(object.size, stage);
}

/// From the centre to what has to stay inside.
double clearance(const SceneObject& object, MotionStage stage) {
  return largest_radius(object, stage) * extent(object.shape, object.motion) + kMargin;
}

/// -1, 0 or 1 along x and y.
struct Direction {
  int x, y;
};

Direction direction_of(Motion motion) {
  switch (motion) {
    case Motion::left: return {-1, 0};
    case Motion::right: return {1, 0};
    case Motion::up: return {0, -1};
    case Motion::down: return {0, 1};
    case Motion::up_left: return {-1, -1};
    case Motion::up_right: return {1, -1};
    case Motion::down_left: return {-1, 1};
    case Motion::down_right: return {1, 1};
    default: return {0, 0};
  }
}

void set_velocity(Trajectory& path, Direction direction, double free_height) {
  constexpr double kAlong = .34, kAcross = .30;  // a straight way, and the horizontal part of a diagonal
  constexpr double kUpright = .17, kSteep = .14;
  const double most = free_height / kLastEasedTime;  // high objects have little room
  path.velocity_x = direction.x * (direction.y == 0 ? kAlong : kAcross);
  path.velocity_y = direction.y * std::min(direction.x == 0 ? kUpright : kSteep, most);
}

void set_growth(Trajectory& path, Motion motion, Bounds radii) {
  const bool grows = motion == Motion::grow;
  path.radius = grows ? radii.left : radii.right;
  path.growth = (radii.right - radii.left) / kLastEasedTime * (grows ? 1 : -1);
}

}  // namespace

int64_t pan_pixels(Camera camera) {
  constexpr int64_t kPan = 2;  // a latent position in eight frames
  if (camera == Camera::still) return 0;
  return camera == Camera::pan_left ? kPan : -kPan;
}

Trajectory trajectory_of(const SceneObject& object, MotionStage stage, Camera camera) {
  constexpr double kHop = .28, kWideCircle = .2, kNarrowCircle = .11;
  const double free_height = 1 - 2 * clearance(object, stage);
  Trajectory path{.drift = static_cast<double>(pan_pixels(camera)) * kWorldFps / double{kWorldHeight},
                  .radius = radius_of(object.size, stage)};
  set_velocity(path, direction_of(object.motion), free_height);
  if (changes_size(object.motion)) set_growth(path, object.motion, growth_bounds(stage));
  if (object.motion == Motion::bounce) path.hop = std::min(kHop, free_height);
  if (object.motion == Motion::spin) path.spin = 2 * std::numbers::pi * kSpinsPerSecond;
  if (object.motion == Motion::circle) {
    path.circle = std::min(stage == MotionStage::whole ? kWideCircle : kNarrowCircle, free_height / 2);
  }
  return path;
}

StartRange start_range(const SceneObject& object, MotionStage stage, Camera camera) {
  const Trajectory path = trajectory_of(object, stage, camera);
  const Bounds bounds = bounds_of(stage);
  const double free = clearance(object, stage);
  const double way_x = path.velocity_x * kLastEasedTime + path.drift * kLongClipSeconds;
  const double way_y = path.velocity_y * kLastEasedTime;
  StartRange range{.left = bounds.left + free + std::max(0.0, -way_x) + 2 * path.circle,
                   .right = bounds.right - free - std::max(0.0, way_x),
                   .top = free + std::max(0.0, -way_y) + path.circle,
                   .bottom = 1 - free - std::max(0.0, way_y) - path.circle};
  if (object.motion == Motion::bounce) range.top = range.bottom;  // it starts on the ground
  if (range.left > range.right) range.left = range.right = (range.left + range.right) / 2;
  if (range.top > range.bottom) range.top = range.bottom = (range.top + range.bottom) / 2;
  return range;
}

MotionStage stage_of(const ClipRecord& record, size_t index) {
  if (record.objects.size() == 1) return MotionStage::whole;
  return index == 0 ? MotionStage::left_half : MotionStage::right_half;
}

}  // namespace faststar
