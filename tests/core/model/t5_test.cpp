#include "core/model/t5.h"

#include <ATen/ATen.h>

#include <random>

#include "core/base/sentencepiece.h"
#include "core/lab/world/piece_list.h"
#include "support/support.h"

namespace faststar {
namespace {

Tokenizer golden_tokenizer() { return Tokenizer(test::golden_dir() / "t5" / "spiece.model"); }

TEST_CASE("a text ends with the end token", "[text]") {
  const auto encoded = golden_tokenizer().encode("A red ball rolls to the left.", 512);
  CHECK(encoded.ids.back() == 1);
  CHECK(encoded.ids.size() == 21);
  CHECK(encoded.cut.empty());
}

TEST_CASE("a text over the limit is cut, and what was cut is told", "[text]") {
  const std::string text = "A red ball rolls to the left.";
  const auto encoded = golden_tokenizer().encode(text, 10);
  CHECK(encoded.ids.size() == 10);
  CHECK(encoded.ids.back() == 1);
  CHECK_FALSE(encoded.cut.empty());
  CHECK(text.ends_with(encoded.cut));
}

TEST_CASE("ten thousand words are cut, not refused", "[text]") {
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "word ";
  CHECK(golden_tokenizer().encode(text, 512).ids.size() == 512);
}

TEST_CASE("a file that is no vocabulary is a model error naming it", "[text]") {
  const test::TempDir dir;
  test::write_text(dir / "spiece.model", "not a model");
  const Error wrong = test::error_of([&] { Tokenizer(dir / "spiece.model"); });
  CHECK(wrong.kind() == ErrorKind::model);
  CHECK(std::string(wrong.what()).find("spiece.model: expected a SentencePiece model") != std::string::npos);
  CHECK(test::error_of([&] { Tokenizer(dir / "absent.model"); }).kind() == ErrorKind::model);
  test::write_text(dir / "spiece.model", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n");
  CHECK(test::error_of([&] { Tokenizer(dir / "spiece.model"); }).hint() == "git lfs pull");
}

TEST_CASE("a truncated vocabulary is a model error", "[text]") {
  const test::TempDir dir;
  const std::string whole = test::read_text(test::golden_dir() / "t5" / "spiece.model");
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    test::write_text(dir / "spiece.model", whole.substr(0, size));
    CAPTURE(size);
    CHECK(test::error_of([&] { Tokenizer(dir / "spiece.model"); }).kind() == ErrorKind::model);
  }
}

TEST_CASE("relative positions share T5's buckets", "[text]") {
  const Tensor buckets = relative_position_buckets(300, 32, 128);
  const auto bucket = [&](int64_t query, int64_t key) { return buckets[query][key].item<int64_t>(); };
  CHECK(bucket(5, 5) == 0);
  CHECK(bucket(5, 0) == 5);
  CHECK(bucket(0, 5) == 16 + 5);
  CHECK(bucket(8, 0) == 8);
  CHECK(bucket(299, 0) == 15);
  CHECK(bucket(0, 299) == 31);
  CHECK(bucket(0, 127) == 31);
}

TEST_CASE("a vocabulary whose character map leads out of the file is refused before it is used", "[text]") {
  const test::TempDir dir;
  const std::string whole = test::read_text(test::golden_dir() / "t5" / "spiece.model");
  const size_t trie = whole.find("nmt_nfkc") + 8 + 1 + 3 + 4;  // the name; tag and length of the map; the trie's length
  std::mt19937 random(22);
  int refused = 0;
  for (int mutation = 0; mutation < 300; ++mutation) {
    std::string changed = whole;
    // Units near the root are on the way of every text.
    for (int i = 0; i < 3; ++i)
      changed[trie + random() % (mutation % 2 == 0 ? 1024 : 100'000)] = static_cast<char>(random());
    test::write_text(dir / "spiece.model", changed);
    try {
      const Tokenizer tokenizer(dir / "spiece.model");
      for (const char* text : {"A red ball", "\xef\xbc\xa1\xe2\x91\xa0 \xc3\xa9\xcc\x81", "\xff\x01\x7f\xf4"}) {
        CHECK(tokenizer.encode(text, 512).ids.back() == 1);
      }
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::model);
      ++refused;
    }
  }
  CHECK(refused > 20);
}

TEST_CASE("a character map without a trie is refused", "[text]") {
  const std::string model("\x1a\x07\x12\x05\0\0\0\0x", 9);  // a normalizer with a map: a length of 0, and a text
  const Error error = test::error_of([&] { check_sentencepiece_model(model, "spiece.model"); });
  CHECK_THAT(error.what(), ContainsSubstring("its character map leads out of the file"));
}

TEST_CASE("pieces that the library cannot index are a model error", "[text]") {
  const test::TempDir dir;
  PieceList list = PieceList::parse(test::read_text(test::golden_dir() / "t5" / "spiece.model"));
  list.pieces[7].text = std::string("\0on", 3);
  test::write_text(dir / "spiece.model", list.serialise());
  const Error error = test::error_of([&] { Tokenizer(dir / "spiece.model"); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK_THAT(error.what(), ContainsSubstring("spiece.model: expected a SentencePiece model"));
}

TEST_CASE("distances and epsilons that nothing can be computed with are errors of config.json", "[text]") {
  const test::TempDir dir;
  const Weights weights(open_checkpoint(test::golden_dir() / "t5"), at::kCPU, at::kFloat);
  for (const char* distance : {"8", "-5", "0", "8.5", "1e300", "1e400", "9223372036854775807", "\"far\""}) {
    test::write_text(dir / "config.json", fmt::format(R"({{"relative_attention_max_distance": {}}})", distance));
    CAPTURE(distance);
    const Error error = test::error_of([&] { detect_t5_architecture(weights, dir.path()); });
    CHECK(error.kind() == ErrorKind::model);
    CHECK_THAT(error.what(), ContainsSubstring("config.json: "));
  }
  test::write_text(dir / "config.json", R"({"layer_norm_epsilon": -1})");
  CHECK(test::error_of([&] { detect_t5_architecture(weights, dir.path()); }).kind() == ErrorKind::model);
  test::write_text(dir / "config.json", R"({"relative_attention_max_distance": 9})");
  CHECK(detect_t5_architecture(weights, dir.path()).max_distance == 9);
}

}  // namespace
}  // namespace faststar
