#include "core/lab/evaluate/attributes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace faststar {
namespace {

/// True when `same` holds for every asked object and the seen one at its place.
template <typename Same>
bool objects_agree(const SeenScene& seen, const ClipRecord& asked, Same&& same) {
  if (asked.objects.size() == 1) {
    return std::ranges::any_of(seen.objects, [&](const SeenObject& object) { return same(object, asked.objects[0]); });
  }
  return seen.count == static_cast<int>(asked.objects.size()) &&
         std::ranges::equal(seen.objects, asked.objects, [&](const auto& a, const auto& b) { return same(a, b); });
}

template <typename Enum>
std::string_view name_or_unknown(const std::optional<Enum>& value) {
  return value ? choice_name(*value) : "?";
}

/// Of a ClipRecord or a SeenScene.
template <typename Scene>
std::string join_scene(const std::vector<std::string>& objects, const Scene& scene) {
  return fmt::format("{} on {} {}{}", objects.empty() ? "nothing" : fmt::format("{}", fmt::join(objects, ", ")),
                     choice_name(scene.background), choice_name(scene.pattern),
                     scene.camera == Camera::still ? "" : fmt::format(", {}", choice_name(scene.camera)));
}

}  // namespace

AttributeScore score_attributes(const SeenScene& seen, const ClipRecord& asked) {
  return {.background = seen.pattern == asked.pattern && seen.background == asked.background,
          .camera = seen.camera == asked.camera,
          .count = seen.count == static_cast<int>(asked.objects.size()),
          .colour = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.colour == b.colour; }),
          .shape = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.shape == b.shape; }),
          .motion = objects_agree(seen, asked, [](const auto& a, const auto& b) { return a.motion == b.motion; }),
          .steady = seen.steady};
}

std::string describe(const ClipRecord& record) {
  std::vector<std::string> objects;
  for (const SceneObject& object : record.objects) {
    objects.push_back(
        fmt::format("{} {} {}", choice_name(object.colour), choice_name(object.shape), choice_name(object.motion)));
  }
  return join_scene(objects, record);
}

std::string describe(const SeenScene& scene) {
  std::vector<std::string> objects;
  for (const SeenObject& object : scene.objects) {
    objects.push_back(fmt::format("{} {} {}", choice_name(object.colour), name_or_unknown(object.shape),
                                  name_or_unknown(object.motion)));
  }
  if (scene.count > 2) objects.push_back(fmt::format("{} objects in all", scene.count));
  return join_scene(objects, scene);
}

void AttributeTally::add(const SeenScene& seen, const ClipRecord& asked, const std::string& prompt) {
  const AttributeScore score = score_attributes(seen, asked);
  ++sums_.clips;
  sums_.background += score.background;
  sums_.camera += score.camera;
  sums_.count += score.count;
  sums_.colour += score.colour;
  sums_.shape += score.shape;
  sums_.motion += score.motion;
  sums_.all += score.all();
  sums_.steady += score.steady;
  if (!score.all()) sums_.misses.push_back({prompt, describe(asked), describe(seen)});
}

AttributeRates AttributeTally::rates() const {
  AttributeRates rates = sums_;
  for (double* sum : {&rates.background, &rates.camera, &rates.count, &rates.colour, &rates.shape, &rates.motion,
                      &rates.all, &rates.steady}) {
    *sum /= static_cast<double>(std::max<int64_t>(rates.clips, 1));
  }
  return rates;
}

}  // namespace faststar
