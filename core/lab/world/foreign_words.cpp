#include <array>

#include "core/lab/world/phrases.h"

namespace faststar {

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
