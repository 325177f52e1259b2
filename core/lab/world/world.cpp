#include "core/lab/world/world.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/lab/world/counter_random.h"
#include "core/lab/world/trajectory.h"

namespace faststar {
namespace {

/// Any enumerator, all equally likely.
template <typename Enum>
Enum any_of(CounterRandom& random) {
  return static_cast<Enum>(random.below(static_cast<int>(kChoiceNames<Enum>.size())));
}

/// In the order of Motion: how often one object moves so.
constexpr std::array<double, kChoiceNames<Motion>.size()> kMotionWeights = {.13, .13, .10, .10, .03, .03, .03,
                                                                            .03, .10, .10, .08, .07, .07, .05};
/// Motions that need no room to the left and right: for half a frame, and for one that pans.
constexpr std::array kNarrowMotions = {Motion::up,   Motion::down,   Motion::circle, Motion::bounce,
                                       Motion::grow, Motion::shrink, Motion::spin,   Motion::still};
constexpr std::array kSizeWeights = {.15, .70, .15};  // small, normal, big

bool is_round(Shape shape) { return shape == Shape::ball || shape == Shape::ring; }

constexpr int kHardest = 2;

/// How late small models learn an object. 1: what turns, and small or shrinking corners. 2: hearts that turn, which
/// never look as before until they are once around.
int hardness(const SceneObject& object) {
  if (object.motion == Motion::spin) return object.shape == Shape::heart ? kHardest : 1;
  if (object.shape == Shape::star) return object.size == ObjectSize::small ? 1 : 0;
  return object.shape == Shape::cross && object.motion == Motion::shrink ? 1 : 0;
}

/// False where a background looks the same when it moves to the side.
bool shows_pan(Pattern pattern) { return pattern != Pattern::plain && pattern != Pattern::gradient; }

bool same_word(ObjectColour object, BackgroundColour background) {
  return choice_name(object) == choice_name(background);
}

class SceneDraw {
 public:
  SceneDraw(const WorldSettings& settings, uint64_t seed, int64_t index)
      : settings_(settings), random_(seed, WorldDraw::scene, index) {
    CounterRandom camera(seed, WorldDraw::camera, index);
    if (camera.chance(settings.camera_pan)) {
      record_.camera = camera.chance(.5) ? Camera::pan_left : Camera::pan_right;
    }
  }

  ClipRecord draw() {
    const bool pair = random_.chance(settings_.two_objects) && record_.camera == Camera::still;
    do {
      record_.pattern = any_of<Pattern>(random_);
    } while (record_.camera != Camera::still && !shows_pan(record_.pattern));
    record_.background = any_of<BackgroundColour>(random_);
    for (const MotionStage stage :
         pair ? std::vector{MotionStage::left_half, MotionStage::right_half} : std::vector{MotionStage::whole}) {
      record_.objects.push_back(draw_object(stage));
    }
    return record_;
  }

 private:
  SceneObject draw_object(MotionStage stage) {
    SceneObject object = draw_kind(stage);
    // One number a try, whatever is hard: scenes without emphasis do not change with hardness().
    while (!random_.chance(std::pow(settings_.emphasis, hardness(object) - kHardest))) object = draw_kind(stage);
    object.colour = draw_colour();
    const StartRange range = start_range(object, stage, record_.camera);
    object.x = random_.uniform(range.left, range.right);
    object.y = random_.uniform(range.top, range.bottom);
    return object;
  }

  /// Shape, motion and size; nothing else makes a scene hard.
  SceneObject draw_kind(MotionStage stage) {
    SceneObject object;
    object.shape = any_of<Shape>(random_);
    object.motion = draw_motion(stage);
    while (object.motion == Motion::spin && is_round(object.shape)) {  // nobody could see it
      object.shape = any_of<Shape>(random_);
    }
    const auto size = static_cast<ObjectSize>(random_.weighted(kSizeWeights));
    if (stage == MotionStage::whole && !changes_size(object.motion)) object.size = size;
    return object;
  }

  Motion draw_motion(MotionStage stage) {
    if (stage != MotionStage::whole || record_.camera != Camera::still) return random_.pick(kNarrowMotions);
    return static_cast<Motion>(random_.weighted(kMotionWeights));
  }

  /// A colour whose word the caption does not use yet.
  ObjectColour draw_colour() {
    while (true) {
      const auto colour = any_of<ObjectColour>(random_);
      const bool taken =
          std::ranges::any_of(record_.objects, [&](const auto& other) { return other.colour == colour; });
      if (!taken && !same_word(colour, record_.background)) return colour;
    }
  }

  const WorldSettings& settings_;
  CounterRandom random_;
  ClipRecord record_;
};

constexpr uint64_t stream(uint64_t domain, uint32_t number) { return domain << 32 | number; }

}  // namespace

bool is_obsolete_world_setting(std::string_view key, std::string_view value) {
  return (key == "scenes" && value == "full") || (key == "wording" && value == "rich");
}

uint64_t training_seed(uint32_t number) { return stream(1, number); }

uint64_t held_out_seed(uint32_t number) { return stream(2, number); }

ClipRecord World::draw(uint64_t seed, int64_t index) const { return SceneDraw(settings_, seed, index).draw(); }

}  // namespace faststar
