#pragma once
#include <span>
#include <string_view>

#include "core/lab/world/scene.h"

/// Words and phrases of captions. "{}" stands for a colour.
namespace faststar {

using Phrases = std::span<const std::string_view>;

/// A motion as in "a ball {moving left}" and "a ball {moves left}".
struct MotionPhrase {
  std::string_view participle;
  std::string_view finite;
};

Phrases shape_nouns(Shape shape);
std::span<const MotionPhrase> motion_phrases(Motion motion);
/// "the camera {panning left}", "the camera {pans left}"; none when it rests.
std::span<const MotionPhrase> camera_phrases(Camera camera);
/// "big", "large"; none for the normal size.
Phrases size_words(ObjectSize size);
/// "a {} striped background", "{} stripes": what objects are on. Without articles where there is none.
Phrases background_phrases(Pattern pattern);
/// "{} and striped": what a background is.
Phrases background_descriptions(Pattern pattern);
/// "gray", "grey".
Phrases colour_words(std::string_view name);

/// "a video of", "high quality": phrases that do not change the scene.
Phrases openings();
Phrases closings();
/// Words before a colour and before a motion that do not change the scene: "bright", "slowly".
Phrases adjectives();
Phrases adverbs();
/// English words that mean nothing in this world.
Phrases foreign_words();

}  // namespace faststar
