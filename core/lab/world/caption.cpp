#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <vector>

#include "core/lab/world/counter_random.h"
#include "core/lab/world/phrases.h"
#include "core/lab/world/world.h"

namespace faststar {
namespace {

/// "an orange ball", "a ball".
std::string with_indefinite(const std::string& noun) {
  const bool vowel = std::string_view("aeiou").find(noun.front()) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", noun);
}

std::string fill(std::string_view phrase, std::string_view colour) {
  std::string text(phrase);
  return text.replace(text.find("{}"), 2, colour);
}

/// "red ball." -> "Red ball."
std::string capitalised(std::string text) {
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

/// Captions of many forms. The left object is always named first.
class CaptionWriter {
 public:
  CaptionWriter(const ClipRecord& record, CounterRandom& random)
      : record_(record),
        random_(random),
        sides_(record.objects.size() == 2 && random.chance(.15)),
        background_colour_(random.pick(colour_words(choice_name(record.background)))) {}

  std::string text() {
    const std::string text = scene_text();
    return record_.camera == Camera::still ? text : with_camera(text);
  }

 private:
  enum class Verb { participle, finite, progressive };

  // Phrases are drawn into names, one after the other: the order in which operands are evaluated is open in C++, and
  // captions are to be the same with every compiler.

  std::string scene_text() {
    static constexpr std::array weights = {.36, .14, .10, .08, .12, .12, .08};
    switch (random_.weighted(weights)) {
      case 0: {
        const std::string text = closed_scene(Verb::participle);
        return one_sentence(opening() + text);
      }
      case 1: return one_sentence(closed_scene(Verb::finite));
      case 2: return one_sentence(closed_scene(Verb::progressive));
      case 3: return one_sentence("there is " + scene(Verb::participle));
      case 4: {
        const std::string things = objects(Verb::finite);
        return one_sentence(setting() + ", " + things);
      }
      case 5: {
        const std::string background = background_sentence();
        return two_sentences(objects(Verb::finite), background);
      }
      default: {
        const std::string things = objects(Verb::progressive);
        return two_sentences(background_sentence(), things);
      }
    }
  }

  std::string closed_scene(Verb verb) {
    const std::string end = closing();
    return scene(verb) + end;
  }

  /// "..., the camera panning left"; one more sentence where there is one already.
  std::string with_camera(const std::string& text) {
    const MotionPhrase& phrase = random_.pick(camera_phrases(record_.camera));
    if (text.ends_with('.')) return fmt::format("{} The camera {}.", text, phrase.finite);
    switch (random_.below(3)) {
      case 0: return fmt::format("{}, the camera {}", text, phrase.participle);
      case 1: return fmt::format("{} as the camera {}", text, phrase.finite);
      default: return fmt::format("{} while the camera {}", text, phrase.finite);
    }
  }

  std::string one_sentence(const std::string& text) { return random_.chance(.4) ? capitalised(text) + "." : text; }

  std::string two_sentences(const std::string& first, const std::string& second) {
    return capitalised(first) + ". " + capitalised(second) + ".";
  }

  std::string opening() { return random_.chance(.3) ? fmt::format("{} ", random_.pick(openings())) : ""; }

  std::string closing() { return random_.chance(.15) ? fmt::format(", {}", random_.pick(closings())) : ""; }

  /// "a red ball moving left on a blue background"
  std::string scene(Verb verb) {
    const std::string where = setting();
    return objects(verb) + " " + where;
  }

  /// "on a blue background"
  std::string setting() {
    static constexpr std::array<std::string_view, 5> prepositions = {"on", "over", "in front of", "against", "before"};
    const int preposition = random_.weighted(std::array{.68, .1, .12, .06, .04});
    std::string background = fill(random_.pick(background_phrases(record_.pattern)), background_colour_);
    if (background.starts_with("a ") && random_.chance(.1)) background.replace(0, 1, "the");
    return fmt::format("{} {}", prepositions[static_cast<size_t>(preposition)], background);
  }

  std::string background_sentence() {
    return fmt::format("the background is {}",
                       fill(random_.pick(background_descriptions(record_.pattern)), background_colour_));
  }

  /// "a red ball moving left and a blue star spinning"
  std::string objects(Verb verb) {
    static constexpr std::array<std::string_view, 4> joints = {" and ", " and ", ", and ", " while "};
    std::string text;
    for (size_t i = 0; i < record_.objects.size(); ++i) {
      if (i > 0) text += random_.pick(joints);
      const std::string moves = predicate(i, verb);
      text += subject(record_.objects[i], i == 0 ? "on the left" : "on the right") + moves;
    }
    return text;
  }

  /// "a big red ball", "the ball"
  std::string subject(const SceneObject& object, std::string_view side) {
    std::vector<std::string_view> words;
    if (!size_words(object.size).empty()) words.push_back(random_.pick(size_words(object.size)));
    if (random_.chance(.05)) words.push_back(random_.pick(adjectives()));
    words.push_back(random_.pick(colour_words(choice_name(object.colour))));
    words.push_back(random_.pick(shape_nouns(object.shape)));
    if (sides_) words.push_back(side);
    const std::string noun = fmt::format("{}", fmt::join(words, " "));
    const int article = random_.weighted(std::array{.86, .08, .06});
    return article == 0 ? with_indefinite(noun) : fmt::format("{} {}", article == 1 ? "the" : "one", noun);
  }

  /// " moving left", " moves left", " is moving left". A single thing at rest may go without.
  std::string predicate(size_t index, Verb verb) {
    const Motion motion = record_.objects[index].motion;
    const bool silent = motion == Motion::still && verb == Verb::participle && record_.objects.size() == 1;
    if (silent && random_.chance(.5)) return "";
    const MotionPhrase& phrase = random_.pick(motion_phrases(motion));
    const std::string adverb =
        motion != Motion::still && random_.chance(.07) ? fmt::format("{} ", random_.pick(adverbs())) : "";
    if (verb == Verb::finite) return fmt::format(" {}{}", adverb, phrase.finite);
    return fmt::format(" {}{}{}", verb == Verb::progressive ? "is " : "", adverb, phrase.participle);
  }

  const ClipRecord& record_;
  CounterRandom& random_;
  bool sides_;  ///< says which object is on which side
  std::string_view background_colour_;
};

/// An English word from outside this world, or an invented one.
std::string foreign_word(CounterRandom& random) {
  if (random.chance(.6)) return std::string(random.pick(foreign_words()));
  static constexpr std::string_view consonants = "bcdfghjklmnpqrstvwxyz", vowels = "aeiou";
  std::string word;
  for (int syllables = 1 + random.below(3); syllables > 0; --syllables) {
    word += random.pick(consonants);
    word += random.pick(vowels);
    if (random.chance(.3)) word += random.pick(consonants);
  }
  return word;
}

std::string foreign_phrase(CounterRandom& random) {
  std::string phrase = foreign_word(random);
  for (int more = random.below(3); more > 0; --more) phrase += fmt::format(" {}", foreign_word(random));
  return phrase;
}

/// `caption` with one foreign phrase before it, behind it or between two of its words.
std::string with_foreign_words(const std::string& caption, CounterRandom& random) {
  const std::string phrase = foreign_phrase(random);
  std::vector<size_t> spaces;
  for (size_t i = 0; i < caption.size(); ++i) {
    if (caption[i] == ' ') spaces.push_back(i);
  }
  switch (random.below(3)) {
    case 0: return fmt::format("{}, {}", phrase, caption);
    case 1: return fmt::format("{}{} {}", caption, caption.ends_with('.') ? "" : ",", phrase);
    default: return std::string(caption).insert(random.pick(spaces), fmt::format(" {}", phrase));
  }
}

}  // namespace

std::string World::caption(const ClipRecord& record, uint64_t seed, int64_t index) const {
  CounterRandom random(seed, WorldDraw::caption, index);
  const std::string caption = CaptionWriter(record, random).text();
  return random.chance(settings_.foreign_words) ? with_foreign_words(caption, random) : caption;
}

}  // namespace faststar
