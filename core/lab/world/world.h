#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/config/fields.h"
#include "core/lab/world/scene.h"

/// The procedural world: scenes drawn from a seed, captions that describe them, a vocabulary for those captions.
namespace faststar {

struct WorldSettings {
  double two_objects = 0.3;     ///< share of clips with a second object
  double camera_pan = 0;        ///< share of clips in which the camera pans, over one object on a pattern
  double emphasis = 2;          ///< how much more often hard objects come, squared for the hardest: hardness()
  double foreign_words = 0.15;  ///< share of captions with words that mean nothing in this world
};

template <FieldsOf<WorldSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "two_objects", .help = "share of clips with a second object", .range = {0, 1}}, c.two_objects);
  visit(Field{.name = "camera_pan", .help = "share of clips in which the camera pans", .range = {0, 1}}, c.camera_pan);
  visit(Field{.name = "emphasis", .help = "weight of the hard cases; 1 is none", .range = {1, 100}}, c.emphasis);
  visit(Field{.name = "foreign_words", .help = "share of captions with out-of-vocabulary words", .range = {0, 1}},
        c.foreign_words);
}

/// True for `scenes: full` and `wording: rich`, which files of earlier versions have: there is only one world now.
bool is_obsolete_world_setting(std::string_view key, std::string_view value);

/// Purposes of the random numbers of a world, for CounterRandom.
enum class WorldDraw : uint32_t { scene, caption, camera };

/// Seeds of clips to train on and of clips to evaluate on: whatever `number`, the two never draw from the same
/// stream of random numbers.
uint64_t training_seed(uint32_t number);
uint64_t held_out_seed(uint32_t number);

/// Draws scenes and their captions. Every draw is a pure function of the settings and its arguments, so any clip of
/// any run can be made again.
class World {
 public:
  explicit World(WorldSettings settings) : settings_(settings) {}

  /// Scene `index` of the stream `seed`.
  ClipRecord draw(uint64_t seed, int64_t index) const;

  /// A caption that says what `record` shows. (seed, index) choose the wording.
  std::string caption(const ClipRecord& record, uint64_t seed, int64_t index) const;

 private:
  WorldSettings settings_;
};

/// Trains a T5 vocabulary with the SentencePiece library: a case-insensitive unigram model of `pieces` pieces (pad 0,
/// end 1, unknown 2). Every one of `words` (lower case) becomes a piece, in place of the least likely ones; every
/// printable ASCII character is a piece too, so that any English text can be spelled.
/// Returns the bytes of a spiece.model; equal input gives equal bytes. Throws Error(usage) when `pieces` are too
/// few for the words and characters or too many for `texts`.
std::string train_vocabulary(std::span<const std::string> texts, std::span<const std::string> words, int pieces);

/// The words of a world's captions, in lower case and sorted, without those that mean nothing in it.
std::vector<std::string> world_words(const WorldSettings& settings);

/// The vocabulary for the captions of a world: every word of its sentences is one piece, letters and word parts spell
/// the rest. Throws as train_vocabulary.
std::string train_world_vocabulary(const WorldSettings& settings, int pieces);

}  // namespace faststar
