#pragma once
#include <array>
#include <string_view>

#include "core/config/fields.h"

namespace faststar {

/// What there is to see: the study's five shapes, seven colours, six patterns and thirteen motions
/// (embedded-model.md, section 3), or all of scene.h.
enum class SceneRange { study, full };

/// How captions speak: the study's one sentence form, or many.
enum class Wording { study, rich };

template <>
struct Choices<SceneRange> {
  static constexpr std::array<std::string_view, 2> names = {"study", "full"};
};
template <>
struct Choices<Wording> {
  static constexpr std::array<std::string_view, 2> names = {"study", "rich"};
};

struct WorldSettings {
  SceneRange scenes = SceneRange::full;
  Wording wording = Wording::rich;
  double two_objects = 0.3;     ///< share of clips with a second object
  double camera_pan = 0;        ///< share of clips in which the camera pans, over one object on a pattern
  double emphasis = 2;          ///< how much more often hard objects come, squared for the hardest: hardness()
  double foreign_words = 0.15;  ///< share of captions with words that mean nothing in this world
};

template <FieldsOf<WorldSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "scenes", .help = "what there is to see"}, c.scenes);
  visit(Field{.name = "wording", .help = "how captions speak"}, c.wording);
  visit(Field{.name = "two_objects", .help = "share of clips with a second object", .range = {0, 1}}, c.two_objects);
  visit(Field{.name = "camera_pan", .help = "share of clips in which the camera pans", .range = {0, 1}}, c.camera_pan);
  visit(Field{.name = "emphasis", .help = "weight of the hard cases; 1 is none", .range = {1, 100}}, c.emphasis);
  visit(Field{.name = "foreign_words", .help = "share of captions with words from outside", .range = {0, 1}},
        c.foreign_words);
}

}  // namespace faststar
