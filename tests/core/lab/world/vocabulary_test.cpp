#include <algorithm>
#include <set>

#include "core/base/utf8.h"
#include "core/config/preset.h"
#include "core/lab/world/world.h"
#include "core/model/t5.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr int kPieces = 1000;

/// A vocabulary for the default world, trained once.
const Tokenizer& world_tokenizer() {
  static const Tokenizer tokenizer = [] {
    const test::TempDir dir;
    test::write_text(dir / "spiece.model", train_world_vocabulary({}, kPieces));
    return Tokenizer(dir / "spiece.model");
  }();
  return tokenizer;
}

size_t tokens_of(const std::string& text) { return world_tokenizer().encode(text, 512).ids.size() - 1; }

TEST_CASE("every word of the world is one token, in any case", "[world]") {
  CHECK(world_tokenizer().vocabulary_size() == kPieces);
  CHECK(tokens_of("a red ball bouncing on a blue striped background") == 9);
  CHECK(tokens_of("A turquoise heart becomes smaller") == 5);
  CHECK(world_tokenizer().encode("A RED Ball", 64).ids == world_tokenizer().encode("a red ball", 64).ids);
}

TEST_CASE("the embedded model's folder lists the words of its world", "[world]") {
  const auto listed = words_in(test::read_text(embedded_model_dir() / "words.txt"));
  const std::set<std::string> known(listed.begin(), listed.end());
  for (const std::string& word : world_words({.two_objects = .5, .camera_pan = .3})) {
    CAPTURE(word);
    CHECK(known.contains(word));
  }
  CHECK_FALSE(known.contains("piano"));
}

TEST_CASE("words from outside are spelled with pieces that the vocabulary knows", "[world]") {
  constexpr int64_t kUnknown = 2;
  for (const char* text : {"an elephant queue, 35 mm!", "xylophone & jazz (vivid) <<<t=5s>>>", "#hashtag@home"}) {
    const auto ids = world_tokenizer().encode(text, 512).ids;
    CHECK(std::ranges::count(ids, kUnknown) == 0);
  }
}

TEST_CASE("captions fit into 64 tokens", "[world]") {
  const World world({.two_objects = .5});
  size_t longest = 0;
  for (int i = 0; i < 3000; ++i) {
    longest = std::max(longest, tokens_of(world.caption(world.draw(training_seed(1), i), training_seed(1), i)) + 1);
  }
  CHECK(longest <= 64);
  CHECK(longest > 24);
}

TEST_CASE("a vocabulary too small for the world's words is refused", "[world]") {
  const Error error = test::error_of([] { train_world_vocabulary({}, 150); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("vocabulary of 150 pieces") != std::string::npos);
}

}  // namespace
}  // namespace faststar
