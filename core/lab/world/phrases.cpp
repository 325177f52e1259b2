#include "core/lab/world/phrases.h"

#include <array>
#include <vector>

namespace faststar {
namespace {

/// Static storage of one list for each enumerator, in order.
template <typename Enum, typename Item>
using Lists = std::array<std::vector<Item>, kChoiceNames<Enum>.size()>;

template <typename Enum, typename Item>
std::span<const Item> list_of(const Lists<Enum, Item>& lists, Enum value) {
  return lists[static_cast<size_t>(value)];
}

}  // namespace

Phrases shape_nouns(Shape shape) {
  static const Lists<Shape, std::string_view> nouns = {{{"ball", "ball", "circle", "disc"},
                                                        {"square", "square", "box"},
                                                        {"triangle"},
                                                        {"star"},
                                                        {"ring", "ring", "donut"},
                                                        {"heart"},
                                                        {"cross", "cross", "plus sign"}}};
  return list_of(nouns, shape);
}

std::span<const MotionPhrase> motion_phrases(Motion motion) {
  static const Lists<Motion, MotionPhrase> phrases = {
      {{{"moving left", "moves left"},
        {"moving left", "moves left"},
        {"moving to the left", "moves to the left"},
        {"going left", "goes left"},
        {"sliding left", "slides left"},
        {"moving from right to left", "moves from right to left"}},
       {{"moving right", "moves right"},
        {"moving right", "moves right"},
        {"moving to the right", "moves to the right"},
        {"going right", "goes right"},
        {"sliding right", "slides right"},
        {"moving from left to right", "moves from left to right"}},
       {{"moving up", "moves up"},
        {"moving up", "moves up"},
        {"rising", "rises"},
        {"going up", "goes up"},
        {"moving upwards", "moves upwards"},
        {"floating up", "floats up"}},
       {{"moving down", "moves down"},
        {"moving down", "moves down"},
        {"falling", "falls"},
        {"going down", "goes down"},
        {"moving downwards", "moves downwards"},
        {"sinking", "sinks"}},
       {{"moving up and left", "moves up and left"},
        {"moving up and to the left", "moves up and to the left"},
        {"moving diagonally up and left", "moves diagonally up and left"},
        {"rising to the left", "rises to the left"}},
       {{"moving up and right", "moves up and right"},
        {"moving up and to the right", "moves up and to the right"},
        {"moving diagonally up and right", "moves diagonally up and right"},
        {"rising to the right", "rises to the right"}},
       {{"moving down and left", "moves down and left"},
        {"moving down and to the left", "moves down and to the left"},
        {"moving diagonally down and left", "moves diagonally down and left"},
        {"falling to the left", "falls to the left"}},
       {{"moving down and right", "moves down and right"},
        {"moving down and to the right", "moves down and to the right"},
        {"moving diagonally down and right", "moves diagonally down and right"},
        {"falling to the right", "falls to the right"}},
       {{"moving in a circle", "moves in a circle"},
        {"circling", "circles"},
        {"going round in circles", "goes round in circles"},
        {"moving in circles", "moves in circles"}},
       {{"bouncing", "bounces"},
        {"bouncing", "bounces"},
        {"bouncing up and down", "bounces up and down"},
        {"hopping", "hops"},
        {"jumping up and down", "jumps up and down"}},
       {{"growing", "grows"},
        {"growing", "grows"},
        {"growing larger", "grows larger"},
        {"getting bigger", "gets bigger"},
        {"expanding", "expands"}},
       {{"shrinking", "shrinks"},
        {"shrinking", "shrinks"},
        {"getting smaller", "gets smaller"},
        {"becoming smaller", "becomes smaller"}},
       {{"spinning", "spins"}, {"rotating", "rotates"}, {"turning", "turns"}, {"spinning around", "spins around"}},
       {{"standing still", "stands still"},
        {"staying still", "stays still"},
        {"not moving", "does not move"},
        {"resting", "rests"}}}};
  return list_of(phrases, motion);
}

std::span<const MotionPhrase> camera_phrases(Camera camera) {
  static const Lists<Camera, MotionPhrase> phrases = {{{},
                                                       {{"panning left", "pans left"},
                                                        {"panning to the left", "pans to the left"},
                                                        {"moving left", "moves left"},
                                                        {"turning left", "turns left"}},
                                                       {{"panning right", "pans right"},
                                                        {"panning to the right", "pans to the right"},
                                                        {"moving right", "moves right"},
                                                        {"turning right", "turns right"}}}};
  return list_of(phrases, camera);
}

Phrases size_words(ObjectSize size) {
  static const Lists<ObjectSize, std::string_view> words = {
      {{"small", "small", "little", "tiny"}, {}, {"big", "big", "large", "huge"}}};
  return list_of(words, size);
}

Phrases background_phrases(Pattern pattern) {
  static const Lists<Pattern, std::string_view> phrases = {
      {{"a {} background", "a {} background", "a plain {} background", "a solid {} background"},
       {"a {} gradient background", "a {} gradient", "a {} background with a gradient"},
       {"a {} striped background", "{} stripes", "a {} background with stripes", "a striped {} background"},
       {"a {} checkered background", "a {} checkerboard", "a {} checkerboard background", "a checkered {} background"},
       {"a {} dotted background", "a {} background with dots", "{} dots", "a dotted {} background"},
       {"a {} wavy background", "{} waves", "a {} background with waves", "a wavy {} background"},
       {"a {} background with diagonal stripes", "diagonal {} stripes", "a diagonally striped {} background"},
       {"a {} grid", "a {} grid background", "a {} background with a grid"}}};
  return list_of(phrases, pattern);
}

Phrases background_descriptions(Pattern pattern) {
  static const Lists<Pattern, std::string_view> phrases = {{{"{}", "plain {}", "solid {}"},
                                                            {"a {} gradient", "{} with a gradient"},
                                                            {"{} and striped", "{} with stripes", "striped in {}"},
                                                            {"{} and checkered", "a {} checkerboard"},
                                                            {"{} and dotted", "{} with dots"},
                                                            {"{} and wavy", "{} with waves"},
                                                            {"{} with diagonal stripes"},
                                                            {"a {} grid", "{} with a grid"}}};
  return list_of(phrases, pattern);
}

Phrases colour_words(std::string_view name) {
  static const std::vector<std::string_view> gray = {"gray", "grey"}, cyan = {"cyan", "turquoise"},
                                             purple = {"purple", "purple", "violet"};
  for (const auto* words : {&gray, &cyan, &purple}) {
    if (words->front() == name) return *words;
  }
  for (const std::string_view& word : kChoiceNames<ObjectColour>) {
    if (word == name) return {&word, 1};
  }
  for (const std::string_view& word : kChoiceNames<BackgroundColour>) {
    if (word == name) return {&word, 1};
  }
  return {};
}

Phrases openings() {
  static constexpr std::array<std::string_view, 12> phrases = {
      "a video of",   "a short video of", "a clip of",    "an animation of", "a simple animation of", "a cartoon of",
      "a picture of", "an image of",      "a drawing of", "footage of",      "a scene with",          "we see"};
  return phrases;
}

Phrases closings() {
  static constexpr std::array<std::string_view, 12> phrases = {
      "high quality", "in the style of a cartoon", "simple and clean", "best quality", "very smooth", "4k",
      "minimalist",   "in a simple style",         "for children",     "seamless",     "hd",          "in soft light"};
  return phrases;
}

Phrases adjectives() {
  static constexpr std::array<std::string_view, 4> words = {"bright", "shiny", "simple", "single"};
  return words;
}

Phrases adverbs() {
  static constexpr std::array<std::string_view, 6> words = {"slowly",  "smoothly", "steadily",
                                                            "quickly", "gently",   "happily"};
  return words;
}

Phrases foreign_words() {
  static constexpr auto words = std::to_array<std::string_view>({
      "about",   "above",     "again",      "air",      "all",       "also",      "always",    "among",   "ancient",
      "angry",   "animal",    "apple",      "artist",   "at",        "autumn",    "away",      "baby",    "bank",
      "beach",   "bear",      "beautiful",  "bed",      "behind",    "bird",      "boat",      "book",    "bottle",
      "boy",     "bridge",    "bus",        "but",      "butterfly", "by",        "cake",      "camel",   "candle",
      "car",     "castle",    "cat",        "chair",    "church",    "cinematic", "city",      "clock",   "cloud",
      "coffee",  "cold",      "computer",   "cook",     "country",   "cow",       "crowd",     "cup",     "dance",
      "dark",    "day",       "deep",       "desert",   "dog",       "door",      "dragon",    "dream",   "dress",
      "drive",   "duck",      "early",      "earth",    "eat",       "elephant",  "empty",     "engine",  "evening",
      "every",   "eye",       "face",       "family",   "farmer",    "fast",      "field",     "film",    "fire",
      "fish",    "flower",    "fog",        "food",     "forest",    "friend",    "frog",      "garden",  "ghost",
      "girl",    "glass",     "good",       "grass",    "guitar",    "hair",      "hand",      "happy",   "hat",
      "have",    "head",      "helicopter", "her",      "hill",      "his",       "history",   "horse",   "hot",
      "house",   "ice",       "into",       "island",   "jacket",    "jazz",      "journey",   "juice",   "jungle",
      "kitchen", "kite",      "knight",     "lady",     "lake",      "lamp",      "landscape", "later",   "leaf",
      "lion",    "long",      "look",       "magic",    "man",       "many",      "market",    "meadow",  "metal",
      "milk",    "mirror",    "monkey",     "moon",     "more",      "morning",   "mountain",  "mouse",   "music",
      "must",    "near",      "new",        "night",    "noise",     "ocean",     "old",       "only",    "other",
      "out",     "paint",     "palace",     "paper",    "park",      "people",    "photo",     "piano",   "pilot",
      "pirate",  "planet",    "plant",      "play",     "portrait",  "queen",     "quick",     "quiet",   "rabbit",
      "rain",    "realistic", "river",      "road",     "robot",     "rock",      "room",      "running", "sad",
      "sailing", "sand",      "school",     "sea",      "shadow",    "she",       "ship",      "shop",    "sing",
      "sky",     "sleep",     "snow",       "song",     "space",     "spring",    "station",   "stone",   "storm",
      "story",   "street",    "summer",     "sun",      "sweet",     "swimming",  "table",     "tea",     "thing",
      "through", "tiger",     "time",       "together", "tower",     "town",      "toy",       "train",   "tree",
      "truck",   "under",     "valley",     "village",  "voice",     "walking",   "wall",      "warm",    "water",
      "weather", "wheel",     "wild",       "wind",     "window",    "winter",    "wolf",      "woman",   "wood",
      "work",    "world",     "writer",     "year",     "young",     "zebra",     "zoo",       "façade",  "déjà",
  });
  return words;
}

}  // namespace faststar
