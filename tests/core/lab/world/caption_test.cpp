#include <cctype>
#include <set>
#include <sstream>

#include "core/lab/world/phrases.h"
#include "core/lab/world/world.h"
#include "support/support.h"

namespace faststar {
namespace {

ClipRecord scene_of(SceneObject object, Pattern pattern) {
  return {.pattern = pattern, .background = BackgroundColour::blue, .objects = {object}};
}

/// What `record` may be called in `count` wordings.
std::set<std::string> wordings(const ClipRecord& record, const WorldSettings& settings, int count) {
  const World world(settings);
  std::set<std::string> captions;
  for (int i = 0; i < count; ++i) captions.insert(world.caption(record, training_seed(0), i));
  return captions;
}

std::set<std::string> words_of(const std::string& caption) {
  std::string text;
  for (const char c : caption)
    text += std::ispunct(static_cast<unsigned char>(c)) != 0 ? ' ' : static_cast<char>(std::tolower(c));
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST_CASE("the prompts that people are told to try are sentences of the language", "[world]") {
  const WorldSettings settings{.foreign_words = 0};
  const auto bouncing = wordings(scene_of({.motion = Motion::bounce}, Pattern::stripes), settings, 3000);
  CHECK(bouncing.contains("a red ball bouncing on a blue striped background"));
  const auto moving = wordings(scene_of({.motion = Motion::left}, Pattern::plain), settings, 3000);
  CHECK(moving.contains("A red ball moves left on a blue background."));
  CHECK(moving.contains("a red ball moving left on a blue background"));
  const auto resting = wordings(scene_of({}, Pattern::plain), settings, 3000);
  CHECK(resting.contains("a red ball on a blue background"));
}

TEST_CASE("a caption names background and objects, the left one first", "[world]") {
  const World world({.two_objects = 1, .foreign_words = 0});
  for (int i = 0; i < 300; ++i) {
    const ClipRecord record = world.draw(training_seed(1), i);
    const std::string caption = world.caption(record, training_seed(1), i);
    INFO(caption);
    const auto place_of = [&](std::string_view colour) {
      size_t place = std::string::npos;
      for (const std::string_view word : colour_words(colour)) place = std::min(place, caption.find(word));
      return place;
    };
    const size_t first = place_of(choice_name(record.objects[0].colour));
    const size_t second = place_of(choice_name(record.objects[1].colour));
    CHECK(first < second);
    CHECK(second != std::string::npos);
    CHECK(place_of(choice_name(record.background)) != std::string::npos);
  }
}

TEST_CASE("a caption says where the camera pans, and nothing of one that rests", "[world]") {
  const World world({.camera_pan = .5, .foreign_words = 0});
  for (int i = 0; i < 300; ++i) {
    const ClipRecord record = world.draw(training_seed(1), i);
    const std::string caption = world.caption(record, training_seed(1), i);
    INFO(caption);
    const size_t camera = caption.find("camera");
    REQUIRE((camera == std::string::npos) == (record.camera == Camera::still));
    if (record.camera == Camera::still) continue;
    const std::string of_camera = caption.substr(camera);
    CHECK((of_camera.find("left") != std::string::npos) == (record.camera == Camera::pan_left));
    CHECK((of_camera.find("right") != std::string::npos) == (record.camera == Camera::pan_right));
  }
}

TEST_CASE("foreign words leave the rest of a caption as it was", "[world]") {
  const World plain({.foreign_words = 0}), foreign({.foreign_words = 1});
  for (int i = 0; i < 300; ++i) {
    const ClipRecord record = plain.draw(training_seed(2), i);
    const auto before = words_of(plain.caption(record, training_seed(2), i));
    const auto after = words_of(foreign.caption(record, training_seed(2), i));
    CHECK(std::ranges::includes(after, before));
    CHECK(after.size() > before.size());
  }
}

TEST_CASE("no foreign word means something in this world", "[world]") {
  const World world({.two_objects = .5, .camera_pan = .3, .foreign_words = 0});
  std::set<std::string> own;
  for (int i = 0; i < 3000; ++i)
    own.merge(words_of(world.caption(world.draw(training_seed(3), i), training_seed(3), i)));
  for (const std::string_view word : foreign_words()) {
    INFO(word);
    CHECK_FALSE(own.contains(std::string(word)));
  }
}

}  // namespace
}  // namespace faststar
