#include "core/lab/world/vocabulary.h"

#include <cctype>
#include <set>
#include <vector>

#include "core/lab/world/clip_source.h"
#include "core/model/text/vocabulary_trainer.h"

namespace faststar {
namespace {

constexpr int kCaptions = 10000;

std::vector<std::string> sample_captions(WorldSettings settings, double foreign_words) {
  settings.foreign_words = foreign_words;
  const World world(settings);
  std::vector<std::string> captions;
  for (int i = 0; i < kCaptions; ++i) captions.push_back(world.caption(world.draw(training_seed(0), i), 0, i));
  return captions;
}

/// All words of `captions` in lower case.
std::vector<std::string> words_of(const std::vector<std::string>& captions) {
  std::set<std::string> words;
  std::string word;
  for (const std::string& caption : captions) {
    for (const char c : caption + " ") {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      } else if (!word.empty()) {
        words.insert(std::move(word));
        word.clear();
      }
    }
  }
  return {words.begin(), words.end()};
}

}  // namespace

std::string train_world_vocabulary(const WorldSettings& settings, int pieces) {
  constexpr double kForeign = .5;  // of the texts: where word parts are learned from
  return train_vocabulary(sample_captions(settings, kForeign), words_of(sample_captions(settings, 0)), pieces);
}

}  // namespace faststar
