#include "fuzz/mutation.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <random>
#include <string_view>

namespace faststar::fuzz {
namespace {

using namespace std::string_view_literals;

constexpr size_t kLongest = size_t{1} << 20;

/// Numbers at whose borders readers go wrong.
constexpr std::array<uint64_t, 16> kNumbers = {0,           1,          0x7f,       0x80,       0xff,       0x7fff,
                                               0x8000,      0xffff,     0x10000,    0x7fffffff, 0x80000000, 0xffffffff,
                                               0x100000000, 1ull << 62, 1ull << 63, ~0ull};

constexpr std::array kWords = {"null"sv,
                               "true"sv,
                               "-1"sv,
                               "0"sv,
                               "1e400"sv,
                               "1e300"sv,
                               "0.5"sv,
                               "9223372036854775807"sv,
                               "18446744073709551616"sv,
                               "[]"sv,
                               "{}"sv,
                               "[[[[[[[[[[[[[[[[[["sv,
                               "\"\""sv,
                               "\"a\":"sv,
                               ","sv,
                               "\\u0000"sv,
                               "\\ud800"sv,
                               "../"sv,
                               "/"sv,
                               "\n"sv,
                               "\n  "sv,
                               ": "sv,
                               "- "sv,
                               "&a "sv,
                               "*a"sv,
                               "<<: "sv,
                               "!!binary "sv,
                               "%TAG ! x\n"sv,
                               "---\n"sv,
                               "nan"sv,
                               "'"sv,
                               "\x1b[2J"sv,
                               "\xff"sv,
                               "\xc2\x9b"sv,
                               "\0"sv,
                               "%s%n"sv,
                               "base: "sv,
                               "inf"sv,
                               "-0"sv,
                               "1e-400"sv};

class Mutator {
 public:
  Mutator(std::span<const std::string> samples, uint64_t seed, int64_t number)
      : samples_(samples), random_(seed ^ static_cast<uint64_t>(number) * 0x9e3779b97f4a7c15ull) {
    bytes_ = samples_[below(samples_.size())];
  }

  std::string run() {
    for (size_t changes = 1 + below(1 + below(6)); changes > 0; --changes) change();
    if (bytes_.size() > kLongest) bytes_.resize(kLongest);
    return std::move(bytes_);
  }

 private:
  size_t below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  /// Where a change starts: files begin with what steers their readers.
  size_t place() { return below(below(2) == 0 ? std::min<size_t>(bytes_.size(), 128) : bytes_.size()); }
  size_t length(size_t at) { return std::min(1 + below(below(4) == 0 ? 4096 : 16), bytes_.size() - at); }

  void change() {
    if (bytes_.empty()) return insert(std::string(kWords[below(kWords.size())]));
    const size_t at = place();
    switch (below(10)) {
      case 0: bytes_[at] = static_cast<char>(bytes_[at] ^ 1 << below(8)); break;
      case 1: bytes_[at] = static_cast<char>(random_()); break;
      case 2: replace_number(at); break;
      case 3: bytes_.erase(at, length(at)); break;
      case 4: insert(bytes_.substr(at, length(at))); break;
      case 5: bytes_.resize(at); break;
      case 6: insert(std::string(kWords[below(kWords.size())])); break;
      case 7: replace_word(at); break;
      case 8: splice(at); break;
      default: bytes_[at] = static_cast<char>(bytes_[at] + (below(2) == 0 ? 1 : -1)); break;
    }
  }

  void insert(const std::string& text) { bytes_.insert(place(), text); }

  /// A number at a border, or one near it, in 1, 2, 4 or 8 bytes of either order.
  void replace_number(size_t at) {
    const size_t size = std::min(size_t{1} << below(4), bytes_.size() - at);
    const uint64_t value = kNumbers[below(kNumbers.size())] + below(3) - 1;
    const bool big_endian = below(2) == 0;
    for (size_t i = 0; i < size; ++i) {
      bytes_[at + (big_endian ? size - 1 - i : i)] = static_cast<char>(value >> 8 * i);
    }
  }

  /// The number or name around `at` becomes another word.
  void replace_word(size_t at) {
    const auto in_word = [this](size_t i) {
      return i < bytes_.size() && (std::isalnum(static_cast<unsigned char>(bytes_[i])) != 0 || bytes_[i] == '.');
    };
    size_t begin = at, end = at;
    while (begin > 0 && in_word(begin - 1)) --begin;
    while (in_word(end)) ++end;
    bytes_.replace(begin, end - begin, kWords[below(kWords.size())]);
  }

  /// What follows comes from another sample.
  void splice(size_t at) {
    const std::string& other = samples_[below(samples_.size())];
    bytes_ = bytes_.substr(0, at) + other.substr(below(other.size()));
  }

  std::span<const std::string> samples_;
  std::mt19937_64 random_;
  std::string bytes_;
};

}  // namespace

std::string mutate(std::span<const std::string> samples, uint64_t seed, int64_t number) {
  return Mutator(samples, seed, number).run();
}

}  // namespace faststar::fuzz
