#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/lab/world/piece_list.h"
#include "core/lab/world/world.h"

namespace faststar {
namespace {

constexpr std::string_view kWordStart = "\u2581";

/// A word's log probability is at least this: more than that of any two pieces that could spell it.
constexpr float kWordScore = -4;

/// Hands texts to the library.
class TextIterator : public sentencepiece::SentenceIterator {
 public:
  explicit TextIterator(std::span<const std::string> texts) : texts_(texts) {}
  bool done() const override { return next_ == texts_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return texts_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::span<const std::string> texts_;
  size_t next_ = 0;
};

/// Printable ASCII but space, comma (which the library's option lists are split at; captions have it) and capitals.
std::string required_characters() {
  std::string characters;
  for (char c = '!'; c <= '~'; ++c) {
    if (c != ',' && (c < 'A' || c > 'Z')) characters += c;
  }
  return characters;
}

std::string train_unigram(std::span<const std::string> texts, int pieces) {
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "unigram"},
      {"vocab_size", fmt::to_string(pieces)},
      {"pad_id", "0"},
      {"eos_id", "1"},
      {"unk_id", "2"},
      {"bos_id", "-1"},
      {"normalization_rule_name", "nmt_nfkc_cf"},  // cf: case folding; captions mean the same in any case
      {"character_coverage", "0.9995"},
      {"required_chars", required_characters()},
      {"num_threads", "1"},  // sums of several threads depend on their number
      {"minloglevel", "2"},
  };
  TextIterator iterator(texts);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  if (!status.ok()) {
    fail(ErrorKind::usage,
         fmt::format("vocabulary of {} pieces from {} texts: {}", pieces, texts.size(), status.ToString()));
  }
  return model;
}

/// The pieces that a word may replace, least likely last: no control tokens, no single characters, no words.
std::vector<Piece*> replaceable(std::vector<Piece>& pieces, const std::unordered_set<std::string>& words) {
  std::vector<Piece*> found;
  for (Piece& piece : pieces) {
    std::string_view letters = piece.text;
    if (letters.starts_with(kWordStart)) letters.remove_prefix(kWordStart.size());
    if (piece.type == Piece::kNormal && letters.size() > 1 && !words.contains(piece.text)) found.push_back(&piece);
  }
  std::ranges::stable_sort(found, std::greater{}, [](const Piece* piece) { return piece->score; });
  return found;
}

/// Unigram training alone splits "ball" into "b" and "all" when the letters are frequent elsewhere.
void make_pieces_of(std::span<const std::string> words, std::vector<Piece>& pieces) {
  std::unordered_set<std::string> wanted;
  for (const std::string& word : words) wanted.insert(fmt::format("{}{}", kWordStart, word));
  std::unordered_set<std::string> missing = wanted;
  for (Piece& piece : pieces) {
    if (missing.erase(piece.text) > 0) piece.score = std::max(piece.score, kWordScore);
  }
  std::vector<Piece*> free = replaceable(pieces, wanted);
  if (free.size() < missing.size()) {
    fail(ErrorKind::usage,
         fmt::format("vocabulary of {} pieces: {} words do not fit in", pieces.size(), missing.size() - free.size()),
         "ask for more pieces");
  }
  for (const std::string& word : words) {  // in their order, which a set does not keep
    const std::string text = fmt::format("{}{}", kWordStart, word);
    if (missing.erase(text) == 0) continue;
    free.back()->text = text;
    free.back()->score = kWordScore;
    free.pop_back();
  }
}

constexpr int kCaptions = 10000;

std::vector<std::string> sample_captions(WorldSettings settings, double foreign_words) {
  settings.foreign_words = foreign_words;
  const World world(settings);
  std::vector<std::string> captions;
  for (int i = 0; i < kCaptions; ++i) captions.push_back(world.caption(world.draw(training_seed(0), i), 0, i));
  return captions;
}

}  // namespace

std::string train_vocabulary(std::span<const std::string> texts, std::span<const std::string> words, int pieces) {
  PieceList list = PieceList::parse(train_unigram(texts, pieces));
  make_pieces_of(words, list.pieces);
  return list.serialise();
}

std::vector<std::string> world_words(const WorldSettings& settings) {
  const auto captions = sample_captions(settings, 0);
  auto words = words_in(fmt::format("{}", fmt::join(captions, " ")));
  std::ranges::sort(words);
  return words;
}

std::string train_world_vocabulary(const WorldSettings& settings, int pieces) {
  constexpr double kForeign = .5;  // of the texts: where word parts are learned from
  return train_vocabulary(sample_captions(settings, kForeign), world_words(settings), pieces);
}

}  // namespace faststar
