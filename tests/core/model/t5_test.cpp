#include "core/model/t5.h"

#include <ATen/ATen.h>

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

}  // namespace
}  // namespace faststar
