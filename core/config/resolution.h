#pragma once
#include <array>
#include <string>

#include "core/config/fields.h"

namespace faststar {

/// Size of a video, named by the height of its 16:9 form.
enum class Resolution { p192, p384, p480, p720 };

template <>
struct Choices<Resolution> {
  static constexpr std::array<std::string_view, 4> names = {"192p", "384p", "480p", "720p"};
};

/// The official name of a size: `pn` of infinity/schedules/dynamic_resolution.py.
inline std::string pn_of(Resolution resolution) {
  constexpr std::array kPn = {"0.06M", "0.25M", "0.40M", "0.90M"};
  return kPn[static_cast<size_t>(resolution)];
}

/// Width : height, as in 16:9.
struct Aspect {
  int width = 16;
  int height = 9;
  bool operator==(const Aspect&) const = default;
};

/// A length in whole seconds: 16 frames, or 4 latent frames, each.
struct Seconds {
  int count = 0;
  bool operator==(const Seconds&) const = default;
};

/// A latent frame is four of 16 frames a second.
inline constexpr int kLatentFramesPerSecond = 4;

/// Latent frames of a video: the first frame has one of its own.
constexpr int latent_frames_of(Seconds duration) { return kLatentFramesPerSecond * duration.count + 1; }

}  // namespace faststar
