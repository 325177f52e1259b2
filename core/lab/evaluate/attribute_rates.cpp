#include "core/lab/evaluate/attribute_rates.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace faststar {
namespace {

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

CheckerValidation validate_checker(const AttributeChecker& checker, const HeldOutClips& clips, int64_t count,
                                   ClipPart part, const EvaluationListener& listener) {
  const SeenFrames seen_frames = frames_of(part);
  const Tensor numbers = at::arange(kFramesSeen, at::kLong) * seen_frames.step + seen_frames.first;
  AttributeTally truth, shuffled;
  for (int64_t i = 0; i < count; ++i) {
    const ClipRecord record = clips.record(i);
    const SeenScene seen = checker(clips.stills(record, numbers), part);
    truth.add(seen, record, clips.prompt(i));
    shuffled.add(seen, clips.record(i + 1), clips.prompt(i + 1));
    if (listener) listener(i + 1, count);
  }
  return {truth.rates(), shuffled.rates()};
}

}  // namespace faststar
